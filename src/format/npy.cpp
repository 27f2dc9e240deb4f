// NumPy's .npy, versions 1 to 3: a mark, a Python dict as text, one array.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include <charconv>

#include "bounds.h"
#include "layout_builder.h"
#include "numpy_array.h"
#include "numpy_pickle.h"
#include "parsers.h"
#include "source_io.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kMark = "\x93NUMPY";
constexpr std::uint64_t kMaxTextBytes = 1 << 20;

struct Header {
  std::string text;
  std::uint64_t data_offset_bytes = 0;
};

Result<Header> read_header(const ByteSource& source) {
  SourceReader in(source);
  in.skip(kMark.size());
  const std::uint8_t version = in.u8();
  in.skip(1);
  if (version < 1 || version > 3) return fail(Code::invalid, "an unknown version");
  const std::uint64_t length_bytes = version == 1 ? in.u16() : in.u32();
  Header header{.text = in.text(length_bytes, kMaxTextBytes), .data_offset_bytes = in.position()};
  if (in.failed()) return fail(Code::invalid, "the header is cut off");
  return header;
}

// What follows "'key':" and spaces; empty where the key is not there.
std::string_view value_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(std::string(1, '\'').append(key).append(1, '\''));
  if (at == std::string_view::npos) return {};
  const std::size_t begin = text.find_first_not_of(": ", at + key.size() + 2);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

// "(3, 4)", "(3,)", "()"; Python 2 wrote "(3L, 4L)".
std::optional<std::vector<std::uint64_t>> parse_shape(std::string_view text) {
  if (!text.starts_with('(')) return std::nullopt;
  text = text.substr(1, text.find(')') - 1);
  std::vector<std::uint64_t> shape;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,L"), text.size()));
    if (text.empty()) return shape;
    std::uint64_t dimension = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), dimension);
    if (error != std::errc() || shape.size() >= kMaxDimensions) return std::nullopt;
    shape.push_back(dimension);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
}

std::string_view quoted(std::string_view text) {
  return text.starts_with('\'') ? text.substr(1, text.find('\'', 1) - 1) : std::string_view();
}

std::string_view array_name(const ParseInput& input) {
  return input.nesting == 0 ? "array" : "";
}

Result<Layout> object_layout(const ParseInput& input, const Header& header) {
  LayoutBuilder builder("npy", input.source.size_bytes());
  SourceReader in(input.source);
  in.seek(header.data_offset_bytes);
  WEIGHTFS_TRY(add_numpy_pickle(in, "", builder));
  return std::move(builder).finish();
}

Result<Layout> array_layout(const ParseInput& input, NumpyArray array) {
  const auto length_bytes = numpy_bytes_of(array.dtype, array.shape);
  if (!length_bytes) return fail(Code::invalid, "the shape is too large");
  array.length_bytes = *length_bytes;
  LayoutBuilder builder("npy", input.source.size_bytes());
  builder.add_extent(numpy_extent(array));
  builder.add_view(numpy_tensor(std::move(array), array_name(input)));
  return std::move(builder).finish();
}

class NpyParser final : public Parser {
 public:
  std::string_view name() const override { return "npy"; }

  Confidence detect(const ParseInput& input) const override {
    return text_of(input.head).starts_with(kMark) ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(const Header header, read_header(input.source));
    const std::string_view descr = value_of(header.text, "descr");
    if (descr.starts_with('[')) return fail(Code::invalid, "the elements are records");
    const auto dtype = parse_numpy_dtype(quoted(descr));
    auto shape = parse_shape(value_of(header.text, "shape"));
    const std::string_view order = value_of(header.text, "fortran_order");
    if (!dtype || !shape || order.empty()) return fail(Code::invalid, "the header is broken");
    if (dtype->is_object) return object_layout(input, header);
    return array_layout(input, {.dtype = *dtype,
                                .shape = *std::move(shape),
                                .is_fortran_order = order.starts_with("True"),
                                .offset_bytes = header.data_offset_bytes});
  }
};

}  // namespace

const Parser& npy_parser() {
  static const NpyParser kParser;
  return kParser;
}

}  // namespace weightfs::format
