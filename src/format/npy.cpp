// NumPy's .npy, versions 1 to 3: a mark, a Python dict as text, an array; often once in a file.
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

// The header's text; the reader is left where the array begins.
Result<std::string> read_header(SourceReader& in) {
  if (in.text(kMark.size()) != kMark) return fail(Code::invalid, "there is no array here");
  const std::uint8_t version = in.u8();
  in.skip(1);
  if (version < 1 || version > 3) return fail(Code::invalid, "an unknown version");
  const std::uint64_t length_bytes = version == 1 ? in.u16() : in.u32();
  std::string text = in.text(length_bytes, kMaxTextBytes);
  if (in.failed()) return fail(Code::invalid, "the header is cut off");
  return text;
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

// The element type. Records are bytes, and no more is told about them than how many they are: an
// array of them ends where the file does.
std::optional<NumpyDtype> dtype_of(std::string_view descr, const std::vector<std::uint64_t>& shape,
                                   std::uint64_t remaining_bytes) {
  if (!descr.starts_with('[')) return parse_numpy_dtype(quoted(descr));
  const auto count = element_count_of(shape);
  if (!count || (*count > 0 && remaining_bytes % *count != 0)) return std::nullopt;
  return NumpyDtype{.dtype = Dtype::opaque,
                    .item_bytes = *count == 0 ? 1 : remaining_bytes / *count};
}

// Adds the array whose header is next; the reader is left behind it.
Status add_array(SourceReader& in, std::string_view name, LayoutBuilder& builder) {
  WEIGHTFS_ASSIGN(const std::string header, read_header(in));
  auto shape = parse_shape(value_of(header, "shape"));
  const std::string_view order = value_of(header, "fortran_order");
  if (!shape || order.empty()) return fail(Code::invalid, "the header is broken");
  const auto dtype = dtype_of(value_of(header, "descr"), *shape, in.remaining());
  if (!dtype) return fail(Code::invalid, "the header is broken");
  if (dtype->is_object) return add_numpy_pickle(in, "", builder);
  const auto length_bytes = numpy_bytes_of(*dtype, *shape);
  if (!length_bytes) return fail(Code::invalid, "the shape is too large");
  const NumpyArray array{.dtype = *dtype,
                         .shape = *std::move(shape),
                         .is_fortran_order = order.starts_with("True"),
                         .offset_bytes = in.position(),
                         .length_bytes = *length_bytes};
  in.skip(*length_bytes);
  if (in.failed()) return fail(Code::invalid, "a tensor reaches past the end of the file");
  builder.add_extent(numpy_extent(array));
  builder.add_view(numpy_tensor(array, name));
  return {};
}

class NpyParser final : public Parser {
 public:
  std::string_view name() const override { return "npy"; }

  Confidence detect(const ParseInput& input) const override {
    return text_of(input.head).starts_with(kMark) ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    SourceReader in(input.source);
    // In a zip the member has the name.
    const std::string_view array_name = input.nesting == 0 ? "array" : "";
    WEIGHTFS_TRY(add_array(in, array_name, builder));
    // numpy.save to an open file may have been called again.
    while (!in.at_end() && builder.tensor_count() < kMaxTensors) {
      if (!add_array(in, array_name, builder)) break;
    }
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& npy_parser() {
  static const NpyParser kParser;
  return kParser;
}

}  // namespace weightfs::format
