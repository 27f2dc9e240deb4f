// GGUF, versions 1 to 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
// Mark, version, counts, key-value pairs, tensor infos, padding, tensors. Version 1 has 32-bit
// counts. Dimensions are stored innermost first.
#include <algorithm>

#include "bounds.h"
#include "ggml_dtype.h"
#include "layout_builder.h"
#include "parsers.h"
#include "source_reader.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kMark = "GGUF";
constexpr std::uint32_t kMaxVersion = 3;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMaxAlignment = 1 << 20;
constexpr std::uint32_t kMaxDimensionsOfGgml = 4;
constexpr int kMaxArrayDepth = 4;
constexpr std::uint64_t kMaxStringElements = 8U << 20;

// gguf_type; persisted in the files.
enum class Type : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

// 0 for what has no fixed size.
std::uint64_t bytes_of_type(Type type) {
  switch (type) {
    case Type::u8:
    case Type::i8:
    case Type::boolean:
      return 1;
    case Type::u16:
    case Type::i16:
      return 2;
    case Type::u32:
    case Type::i32:
    case Type::f32:
      return 4;
    case Type::u64:
    case Type::i64:
    case Type::f64:
      return 8;
    default:
      return 0;
  }
}

class GgufReader {
 public:
  GgufReader(const ByteSource& source, LayoutBuilder& builder) : in_(source), builder_(builder) {}

  Status run() {
    in_.skip(kMark.size());
    version_ = in_.u32();
    // A big-endian file's number is in the other half.
    is_big_endian_ = version_ != 0 && (version_ & 0xFFFF) == 0;
    if (is_big_endian_) version_ = byte_swap(version_);
    if (version_ == 0 || version_ > kMaxVersion) return refuse("an unknown version");
    const std::uint64_t tensor_count = count();
    const std::uint64_t pair_count = count();
    builder_.add_metadata("gguf.version", std::to_string(version_));
    for (std::uint64_t i = 0; i < pair_count && !in_.failed(); ++i) read_pair();
    return read_tensors(tensor_count);
  }

 private:
  static tl::unexpected<Error> refuse(const char* why) { return fail(Code::invalid, why); }

  std::uint16_t u16() { return is_big_endian_ ? in_.big_endian<std::uint16_t>() : in_.u16(); }
  std::uint32_t u32() { return is_big_endian_ ? in_.big_endian<std::uint32_t>() : in_.u32(); }
  std::uint64_t u64() { return is_big_endian_ ? in_.big_endian<std::uint64_t>() : in_.u64(); }
  std::uint64_t count() { return version_ == 1 ? u32() : u64(); }

  // A length and its text, of which no more than can be shown is kept.
  std::string string() {
    const std::uint64_t length_bytes = count();
    if (length_bytes <= kMaxMetadataValueBytes) return in_.text(length_bytes);
    in_.skip(length_bytes);
    return std::to_string(length_bytes) + " bytes";
  }

  void read_pair() {
    const std::string key = string();
    const auto type = static_cast<Type>(u32());
    const std::string value = read_value(type);
    if (key == "general.alignment" && type == Type::u32) alignment_ = std::stoull(value);
    if (!in_.failed()) builder_.add_metadata(key, value);
  }

  template <class Value, class Raw>
  std::string number(Raw raw) {
    return std::to_string(std::bit_cast<Value>(raw));
  }

  std::string read_value(Type type) {
    switch (type) {
      case Type::u8:
        return number<std::uint8_t>(in_.u8());
      case Type::i8:
        return number<std::int8_t>(in_.u8());
      case Type::u16:
        return number<std::uint16_t>(u16());
      case Type::i16:
        return number<std::int16_t>(u16());
      case Type::u32:
        return number<std::uint32_t>(u32());
      case Type::i32:
        return number<std::int32_t>(u32());
      case Type::f32:
        return number<float>(u32());
      case Type::boolean:
        return in_.u8() != 0 ? "true" : "false";
      case Type::string:
        return string();
      case Type::array:
        return read_array(0);
      case Type::u64:
        return number<std::uint64_t>(u64());
      case Type::i64:
        return number<std::int64_t>(u64());
      case Type::f64:
        return number<double>(u64());
    }
    in_.set_failed();
    return {};
  }

  // Arrays are skipped: a tokenizer's vocabulary is not for a table.
  std::string read_array(int depth) {
    const auto type = static_cast<Type>(u32());
    const std::uint64_t length = count();
    const std::uint64_t element_bytes = bytes_of_type(type);
    if (element_bytes != 0) {
      in_.skip(checked_multiply(length, element_bytes).value_or(in_.remaining() + 1));
    } else if (depth >= kMaxArrayDepth || (type != Type::string && type != Type::array)) {
      in_.set_failed();
    } else {
      skip_elements(type, length, depth);
    }
    return std::to_string(length) + " elements";
  }

  void skip_elements(Type type, std::uint64_t length, int depth) {
    for (std::uint64_t i = 0; i < length && !in_.failed(); ++i) {
      if (++skipped_elements_ > kMaxStringElements) return in_.set_failed();
      if (type == Type::array) {
        read_array(depth + 1);
      } else {
        in_.skip(count());
      }
    }
  }

  Status read_tensors(std::uint64_t tensor_count) {
    if (tensor_count > kMaxTensors) return refuse("too many tensors");
    std::vector<Tensor> tensors;
    for (std::uint64_t i = 0; i < tensor_count; ++i) {
      WEIGHTFS_ASSIGN(Tensor tensor, read_tensor());
      tensors.push_back(std::move(tensor));
    }
    if (in_.failed()) return refuse("the header is cut off");
    if (alignment_ == 0 || alignment_ > kMaxAlignment) return refuse("an impossible alignment");
    const std::uint64_t data_begin = (in_.position() + alignment_ - 1) / alignment_ * alignment_;
    for (Tensor& tensor : tensors) {
      const auto offset_bytes = checked_add(tensor.offset_bytes, data_begin);
      if (!offset_bytes) return refuse("a tensor reaches past the end of the file");
      tensor.offset_bytes = *offset_bytes;
    }
    measure_unknown(tensors);
    for (Tensor& tensor : tensors) add_tensor(std::move(tensor));
    return {};
  }

  void add_tensor(Tensor tensor) {
    const bool is_known = tensor.dtype != Dtype::opaque;
    if (is_known && !is_big_endian_) return builder_.add_dense_tensor(std::move(tensor));
    if (is_known) {
      const auto length_bytes = tensor_bytes_of(tensor.shape, tensor.dtype);
      tensor.length_bytes = length_bytes.value_or(in_.end());
      tensor.note = "big-endian";
    }
    builder_.add_extent({.offset_bytes = tensor.offset_bytes, .length_bytes = tensor.length_bytes});
    builder_.add_view(std::move(tensor));
  }

  // A type that ggml has got since, or that a fork has, is as long as there is room.
  void measure_unknown(std::vector<Tensor>& tensors) const {
    std::vector<std::uint64_t> offsets;
    for (const Tensor& tensor : tensors) offsets.push_back(tensor.offset_bytes);
    std::sort(offsets.begin(), offsets.end());
    for (Tensor& tensor : tensors) {
      if (tensor.dtype != Dtype::opaque) continue;
      const auto next = std::upper_bound(offsets.begin(), offsets.end(), tensor.offset_bytes);
      const std::uint64_t end = next == offsets.end() ? in_.end() : *next;
      tensor.length_bytes = end - std::min(end, tensor.offset_bytes);
    }
  }

  // offset_bytes counts from the end of the header.
  Result<Tensor> read_tensor() {
    Tensor tensor;
    tensor.name = string();
    const std::uint32_t dimension_count = u32();
    if (dimension_count > kMaxDimensionsOfGgml) return refuse("a tensor has too many dimensions");
    for (std::uint32_t i = 0; i < dimension_count; ++i) tensor.shape.push_back(count());
    const std::uint32_t type = u32();
    tensor.offset_bytes = u64();
    if (in_.failed()) return refuse("the header is cut off");
    tensor.dtype = dtype_of_ggml(type).value_or(Dtype::opaque);
    if (tensor.dtype == Dtype::opaque) tensor.note = "of ggml type " + std::to_string(type);
    const std::uint64_t row_elements = tensor.shape.empty() ? 1 : tensor.shape.front();
    if (row_elements % dtype_layout(tensor.dtype).unit_elements != 0) {
      return refuse("a tensor's rows are no whole blocks");
    }
    std::reverse(tensor.shape.begin(), tensor.shape.end());
    return tensor;
  }

  SourceReader in_;
  LayoutBuilder& builder_;
  std::uint32_t version_ = 0;
  bool is_big_endian_ = false;
  std::uint64_t alignment_ = kDefaultAlignment;
  std::uint64_t skipped_elements_ = 0;
};

class GgufParser final : public Parser {
 public:
  std::string_view name() const override { return "gguf"; }

  Confidence detect(const ParseInput& input) const override {
    return text_of(input.head).starts_with(kMark) ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(GgufReader(input.source, builder).run());
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& gguf_parser() {
  static const GgufParser kParser;
  return kParser;
}

}  // namespace weightfs::format
