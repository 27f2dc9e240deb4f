// Flax's msgpack checkpoints: a tree of maps whose leaves are arrays in an extension type.
// https://github.com/msgpack/msgpack/blob/master/spec.md; flax/serialization.py.
#include <array>

#include "bounds.h"
#include "layout_builder.h"
#include "numpy_dtype.h"
#include "parsers.h"
#include "source_reader.h"

namespace weightfs::format {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::uint64_t kMaxValueCount = 5'000'000;

enum class Kind { other, integer, text, binary, array, map, extension };

// The head of a value: what it is, and its number, length or count.
struct Head {
  Kind kind = Kind::other;
  std::uint64_t value = 0;
  std::int8_t extension_type = 0;
};

class MsgpackReader {
 public:
  explicit MsgpackReader(const ByteSource& source) : reader_(source) {}
  SourceReader& bytes() { return reader_; }

  Head head() {
    if (values_left_ == 0) reader_.set_failed();
    --values_left_;
    const std::uint8_t byte = reader_.u8();
    if (byte < 0x80) return {.kind = Kind::integer, .value = byte};
    if (byte < 0x90) return {.kind = Kind::map, .value = byte & 0x0fU};
    if (byte < 0xa0) return {.kind = Kind::array, .value = byte & 0x0fU};
    if (byte < 0xc0) return {.kind = Kind::text, .value = byte & 0x1fU};
    if (byte >= 0xe0) return {};  // a small negative number
    return long_head(byte);
  }

 private:
  Head long_head(std::uint8_t byte) {
    switch (byte) {
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return {.kind = Kind::binary, .value = sized(byte - 0xc4)};
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return extension(sized(byte - 0xc7));
      case 0xca:
        return skipped(4);
      case 0xcb:
        return skipped(8);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return {.kind = Kind::integer, .value = sized(byte - 0xcc)};
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return skipped(1ULL << (byte - 0xd0));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return extension(1ULL << (byte - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return {.kind = Kind::text, .value = sized(byte - 0xd9)};
      case 0xdc:
      case 0xdd:
        return {.kind = Kind::array, .value = sized(byte - 0xdc + 1)};
      case 0xde:
      case 0xdf:
        return {.kind = Kind::map, .value = sized(byte - 0xde + 1)};
      case 0xc1:
        reader_.set_failed();
        return {};
      default:
        return {};  // nil, false, true
    }
  }

  std::uint64_t sized(int width_bits) {
    switch (width_bits) {
      case 0:
        return reader_.u8();
      case 1:
        return reader_.big_endian<std::uint16_t>();
      case 2:
        return reader_.big_endian<std::uint32_t>();
      default:
        return reader_.big_endian<std::uint64_t>();
    }
  }
  Head skipped(std::uint64_t length_bytes) {
    reader_.skip(length_bytes);
    return {};
  }
  Head extension(std::uint64_t length_bytes) {
    const auto type = static_cast<std::int8_t>(reader_.u8());
    return {.kind = Kind::extension, .value = length_bytes, .extension_type = type};
  }

  SourceReader reader_;
  std::uint64_t values_left_ = kMaxValueCount;
};

class TreeReader {
 public:
  TreeReader(const ByteSource& source, LayoutBuilder& builder)
      : msgpack_(source), builder_(builder) {}

  Status read() {
    read_value({}, kMaxDepth);
    if (msgpack_.bytes().failed()) return fail(Code::invalid, "the msgpack is broken");
    if (msgpack_.bytes().remaining() != 0) return fail(Code::invalid, "bytes follow the msgpack");
    if (builder_.tensor_count() == 0) return fail(Code::invalid, "the msgpack has no arrays");
    return {};
  }

 private:
  bool can_go_on() const { return !builder_.failed(); }

  void read_value(const std::string& name, int depth_left) {
    const Head head = msgpack_.head();
    SourceReader& bytes = msgpack_.bytes();
    if (depth_left == 0) return bytes.set_failed();
    switch (head.kind) {
      case Kind::map:
        return read_map(name, head.value, depth_left);
      case Kind::array:
        return read_array(name, head.value, depth_left);
      case Kind::text:
      case Kind::binary:
        return bytes.skip(head.value);
      case Kind::extension:
        return read_extension(name, head);
      default:
        return;
    }
  }

  void read_map(const std::string& name, std::uint64_t count, int depth_left) {
    for (std::uint64_t i = 0; i < count && !msgpack_.bytes().failed() && can_go_on(); ++i) {
      read_value(join(name, read_key()), depth_left - 1);
    }
  }

  void read_array(const std::string& name, std::uint64_t count, int depth_left) {
    for (std::uint64_t i = 0; i < count && !msgpack_.bytes().failed() && can_go_on(); ++i) {
      read_value(join(name, std::to_string(i)), depth_left - 1);
    }
  }

  std::string read_key() {
    const Head key = msgpack_.head();
    if (key.kind == Kind::text) return msgpack_.bytes().text(key.value, kMaxNameBytes);
    if (key.kind == Kind::integer) return std::to_string(key.value);
    msgpack_.bytes().set_failed();
    return {};
  }

  std::string join(const std::string& name, const std::string& key) {
    if (name.size() + key.size() > kMaxNameBytes) msgpack_.bytes().set_failed();
    return name.empty() ? key : name + "/" + key;
  }

  // Type 1 is an array, and type 3 a scalar: a msgpack of (shape, dtype, bytes).
  void read_extension(const std::string& name, const Head& head) {
    SourceReader& bytes = msgpack_.bytes();
    const std::uint64_t begin = bytes.position();
    bytes.skip(head.value);
    const std::uint64_t end = bytes.position();
    if (bytes.failed() || (head.extension_type != 1 && head.extension_type != 3)) return;
    bytes.seek(begin);
    Tensor tensor;
    tensor.name = name;
    const bool is_array = read_ndarray(tensor);
    if (!is_array || bytes.position() != end) return bytes.set_failed();
    add(std::move(tensor));
  }

  bool read_ndarray(Tensor& tensor) {
    SourceReader& bytes = msgpack_.bytes();
    const Head triple = msgpack_.head();
    const Head rank = msgpack_.head();
    if (triple.kind != Kind::array || triple.value != 3) return false;
    if (rank.kind != Kind::array || rank.value > kMaxDimensions) return false;
    for (std::uint64_t i = 0; i < rank.value; ++i) {
      const Head dimension = msgpack_.head();
      if (dimension.kind != Kind::integer) return false;
      tensor.shape.push_back(dimension.value);
    }
    const Head dtype = msgpack_.head();
    if (dtype.kind != Kind::text && dtype.kind != Kind::binary) return false;
    const auto known = parse_numpy_dtype(bytes.text(dtype.value, kMaxNameBytes));
    if (known && !known->is_big_endian) tensor.dtype = known->dtype;
    const Head data = msgpack_.head();
    if (data.kind != Kind::binary) return false;
    tensor.offset_bytes = bytes.position();
    tensor.length_bytes = data.value;
    bytes.skip(data.value);
    return !bytes.failed();
  }

  void add(Tensor tensor) {
    const bool is_dense = tensor_bytes_of(tensor.shape, tensor.dtype) == tensor.length_bytes;
    if (is_dense) return builder_.add_tensor(std::move(tensor));
    tensor.note = "of an unknown type";
    builder_.add_view(std::move(tensor));
  }

  MsgpackReader msgpack_;
  LayoutBuilder& builder_;
};

class FlaxParser final : public Parser {
 public:
  std::string_view name() const override { return "flax-msgpack"; }

  // A map whose first key is text: common enough by chance that only the parse tells.
  Confidence detect(const ParseInput& input) const override {
    const SpanSource head(input.head);
    MsgpackReader msgpack(head);
    const Head map = msgpack.head();
    const Head key = msgpack.head();
    if (map.kind != Kind::map || map.value == 0 || key.kind != Kind::text || key.value == 0) {
      return Confidence::none;
    }
    for (const char c : msgpack.bytes().text(key.value, kMaxNameBytes)) {
      if (c >= 0 && c < ' ') return Confidence::none;
    }
    return msgpack.bytes().failed() ? Confidence::none : Confidence::weak;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(TreeReader(input.source, builder).read());
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& flax_parser() {
  static const FlaxParser kParser;
  return kParser;
}

}  // namespace weightfs::format
