// What came before GGUF: "ggml", "ggmf", "ggjt" and "ggla" files of llama.cpp, whisper.cpp,
// rwkv.cpp and the examples of ggml.
//
// All have a mark, numbers, a vocabulary, and tensors until the file ends: dimension count, name
// length, type, dimensions innermost first, name, data. Which numbers and which vocabulary is not
// written anywhere, so each dialect is tried, and the one that ends exactly at the end of the file
// is right.
#include <algorithm>
#include <array>

#include "bounds.h"
#include "ggml_dtype.h"
#include "layout_builder.h"
#include "parsers.h"
#include "source_reader.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr std::uint32_t kGgml = 0x67676d6c;
constexpr std::uint32_t kGgmf = 0x67676d66;
constexpr std::uint32_t kGgjt = 0x67676a74;
constexpr std::uint32_t kGgla = 0x67676c61;

constexpr std::uint32_t kMaxDimensionsOfGgml = 4;
constexpr std::uint32_t kMaxTokenBytes = 1 << 16;
constexpr std::uint32_t kMaxTokens = 4 << 20;
constexpr std::uint32_t kMaxTensorNameBytes = 256;

// Where the vocabulary's size is written: nowhere (there is none), as the first of the numbers, or
// once more in front of it.
enum class Vocabulary { none, counted_first, counted_again };

struct Dialect {
  const char* name;
  std::uint32_t mark;
  std::uint32_t number_count;  // without the version
  Vocabulary vocabulary;
  bool has_scores = false;       // a float behind each token
  bool has_mel_filters = false;  // whisper.cpp
  bool is_aligned = false;       // tensors start at multiples of 32
  bool has_rwkv_types = false;
};

constexpr std::array kDialects = {
    Dialect{.name = "rwkv.cpp",
            .mark = kGgmf,
            .number_count = 4,
            .vocabulary = Vocabulary::none,
            .has_rwkv_types = true},
    Dialect{.name = "llama.cpp",
            .mark = kGgmf,
            .number_count = 7,
            .vocabulary = Vocabulary::counted_first,
            .has_scores = true},
    Dialect{.name = "llama.cpp",
            .mark = kGgjt,
            .number_count = 7,
            .vocabulary = Vocabulary::counted_first,
            .has_scores = true,
            .is_aligned = true},
    Dialect{.name = "llama.cpp adapter",
            .mark = kGgla,
            .number_count = 2,
            .vocabulary = Vocabulary::none,
            .is_aligned = true},
    Dialect{.name = "whisper.cpp",
            .mark = kGgml,
            .number_count = 11,
            .vocabulary = Vocabulary::counted_again,
            .has_mel_filters = true},
    Dialect{.name = "llama.cpp",
            .mark = kGgml,
            .number_count = 7,
            .vocabulary = Vocabulary::counted_first},
    Dialect{
        .name = "gpt-2", .mark = kGgml, .number_count = 6, .vocabulary = Vocabulary::counted_again},
    Dialect{
        .name = "gpt-j", .mark = kGgml, .number_count = 7, .vocabulary = Vocabulary::counted_again},
    Dialect{.name = "gpt-neox",
            .mark = kGgml,
            .number_count = 8,
            .vocabulary = Vocabulary::counted_first},
};

// Until May 2023 the scales of these types were floats of four bytes, not two.
std::uint32_t wide_block_bytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::q4_0:
      return 20;
    case Dtype::q4_1:
      return 24;
    case Dtype::q8_0:
      return 36;
    default:
      return dtype_layout(dtype).unit_bytes;
  }
}

class DialectReader {
 public:
  DialectReader(const ByteSource& source, const Dialect& dialect, bool has_wide_blocks)
      : in_(source),
        dialect_(dialect),
        has_wide_blocks_(has_wide_blocks),
        builder_("ggml", source.size_bytes()) {}

  Result<Layout> run() {
    read_header();
    while (!in_.failed() && in_.remaining() > 0) {
      if (!read_tensor()) return fail(Code::invalid, "a tensor's header is broken");
    }
    if (in_.failed()) return fail(Code::invalid, "the file is cut off");
    return std::move(builder_).finish();
  }

 private:
  void read_header() {
    const bool has_version = in_.u32() != kGgml;
    builder_.add_metadata("ggml.dialect", dialect_.name);
    if (has_version) builder_.add_metadata("ggml.version", std::to_string(in_.u32()));
    std::uint32_t token_count = in_.u32();
    in_.skip((dialect_.number_count - 1) * sizeof(std::uint32_t));
    if (dialect_.has_mel_filters) skip_mel_filters();
    if (dialect_.vocabulary == Vocabulary::counted_again) token_count = in_.u32();
    if (dialect_.vocabulary != Vocabulary::none) skip_vocabulary(token_count);
  }

  void skip_mel_filters() {
    const std::uint64_t filter_count = in_.u32();
    const std::uint64_t filter_length = in_.u32();
    const auto bytes = tensor_bytes_of({filter_count, filter_length}, Dtype::f32);
    const std::uint64_t offset_bytes = in_.position();
    in_.skip(bytes.value_or(in_.remaining() + 1));
    if (in_.failed()) return;
    builder_.add_extent(
        {.offset_bytes = offset_bytes, .length_bytes = *bytes, .dtype = Dtype::f32});
  }

  void skip_vocabulary(std::uint32_t token_count) {
    if (token_count > kMaxTokens) return in_.set_failed();
    for (std::uint32_t i = 0; i < token_count && !in_.failed(); ++i) {
      const std::uint32_t token_bytes = in_.u32();
      if (token_bytes > kMaxTokenBytes) return in_.set_failed();
      in_.skip(token_bytes + (dialect_.has_scores ? sizeof(float) : 0));
    }
  }

  bool read_tensor() {
    const std::uint32_t dimension_count = in_.u32();
    const std::uint32_t name_bytes = in_.u32();
    const std::uint32_t type = in_.u32();
    const auto dtype = dialect_.has_rwkv_types ? dtype_of_rwkv(type) : dtype_of_ggml(type);
    if (!dtype || dimension_count > kMaxDimensionsOfGgml || name_bytes > kMaxTensorNameBytes) {
      return false;
    }
    Tensor tensor;
    tensor.dtype = *dtype;
    for (std::uint32_t i = 0; i < dimension_count; ++i) tensor.shape.push_back(in_.u32());
    std::reverse(tensor.shape.begin(), tensor.shape.end());
    tensor.name = in_.text(name_bytes);
    if (dialect_.is_aligned) in_.skip((32 - in_.position() % 32) % 32);
    tensor.offset_bytes = in_.position();
    return !in_.failed() && add(std::move(tensor));
  }

  bool add(Tensor tensor) {
    const DtypeLayout layout = dtype_layout(tensor.dtype);
    const std::uint32_t block_bytes =
        has_wide_blocks_ ? wide_block_bytes(tensor.dtype) : layout.unit_bytes;
    const auto count = element_count_of(tensor.shape);
    if (!count || *count % layout.unit_elements != 0) return false;
    const auto length_bytes =
        checked_multiply<std::uint64_t>(*count / layout.unit_elements, block_bytes);
    if (!length_bytes) return false;
    tensor.length_bytes = *length_bytes;
    in_.skip(*length_bytes);
    if (block_bytes == layout.unit_bytes) {
      builder_.add_tensor(std::move(tensor));
      return !in_.failed();
    }
    tensor.note = std::to_string(block_bytes) + "-byte blocks";
    builder_.add_extent({.offset_bytes = tensor.offset_bytes, .length_bytes = tensor.length_bytes});
    builder_.add_view(std::move(tensor));
    return !in_.failed();
  }

  SourceReader in_;
  const Dialect& dialect_;
  bool has_wide_blocks_;
  LayoutBuilder builder_;
};

class GgmlLegacyParser final : public Parser {
 public:
  std::string_view name() const override { return "ggml"; }

  Confidence detect(const ParseInput& input) const override {
    ByteReader in(input.head);
    const std::uint32_t mark = in.u32();
    const bool is_known = std::any_of(kDialects.begin(), kDialects.end(),
                                      [&](const Dialect& dialect) { return dialect.mark == mark; });
    return is_known ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const std::uint32_t mark = ByteReader(input.head).u32();
    for (const Dialect& dialect : kDialects) {
      if (dialect.mark != mark) continue;
      for (const bool has_wide_blocks : {false, true}) {
        Result<Layout> layout = DialectReader(input.source, dialect, has_wide_blocks).run();
        if (layout) return layout;
      }
    }
    return fail(Code::invalid, "no known dialect ends where the file does");
  }
};

}  // namespace

const Parser& ggml_legacy_parser() {
  static const GgmlLegacyParser kParser;
  return kParser;
}

}  // namespace weightfs::format
