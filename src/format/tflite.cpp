// TFLite: a flatbuffer of buffers and the tensors that name them. Models above 2 GB keep the
// buffers' bytes behind the flatbuffer. tensorflow/lite/schema/schema.fbs.
#include <array>

#include "bounds.h"
#include "flatbuffer.h"
#include "layout_builder.h"
#include "parsers.h"

namespace weightfs::format {
namespace {

// Field numbers of the schema's tables.
enum ModelField : unsigned { kSubgraphs = 2, kDescription = 3, kBuffers = 4 };
enum BufferField : unsigned { kData = 0, kOffset = 1, kSize = 2 };
enum SubgraphField : unsigned { kTensors = 0 };
enum TensorField : unsigned { kShape = 0, kType = 1, kBuffer = 2, kName = 3 };

// TensorType, in its order.
constexpr std::array kDtypes = {
    Dtype::f32,    Dtype::f16, Dtype::i32, Dtype::u8,  Dtype::i64,  Dtype::string, Dtype::boolean,
    Dtype::i16,    Dtype::c64, Dtype::i8,  Dtype::f64, Dtype::c128, Dtype::u64,    Dtype::opaque,
    Dtype::opaque, Dtype::u32, Dtype::u16, Dtype::i4,  Dtype::bf16, Dtype::i2,
};

struct Buffer {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  std::uint32_t user_count = 0;
  Tensor first_user;
};

class ModelReader {
 public:
  ModelReader(const ByteSource& source, LayoutBuilder& builder)
      : flatbuffer_(source), builder_(builder) {}

  Status read() {
    FlatTable model(flatbuffer_, flatbuffer_.root());
    builder_.add_metadata("description", model.text(kDescription));
    read_buffers(model);
    const FlatVector subgraphs = model.vector(kSubgraphs, 4);
    for (std::uint32_t i = 0; i < subgraphs.count && can_go_on(); ++i) {
      read_subgraph(model.element(subgraphs, i));
    }
    if (flatbuffer_.failed()) return fail(Code::invalid, "an offset leads out of the file");
    for (Buffer& buffer : buffers_) add(buffer);
    return {};
  }

 private:
  bool can_go_on() const { return !flatbuffer_.failed() && !builder_.failed(); }

  void read_buffers(FlatTable model) {
    const FlatVector buffers = model.vector(kBuffers, 4);
    for (std::uint32_t i = 0; i < buffers.count && can_go_on(); ++i) {
      buffers_.push_back(buffer_of(model.element(buffers, i)));
    }
  }

  // Offsets of 0 and 1 say that the bytes are inside of the flatbuffer.
  Buffer buffer_of(FlatTable table) {
    Buffer buffer;
    buffer.offset_bytes = table.scalar<std::uint64_t>(kOffset);
    if (buffer.offset_bytes > 1) {
      buffer.length_bytes = table.scalar<std::uint64_t>(kSize);
      (void)flatbuffer_.contains(buffer.offset_bytes, buffer.length_bytes);
    } else {
      const FlatVector data = table.vector(kData, 1);
      buffer.offset_bytes = data.offset_bytes;
      buffer.length_bytes = data.count;
    }
    return buffer;
  }

  void read_subgraph(FlatTable subgraph) {
    const FlatVector tensors = subgraph.vector(kTensors, 4);
    for (std::uint32_t i = 0; i < tensors.count && can_go_on(); ++i) {
      read_tensor(subgraph.element(tensors, i));
    }
  }

  // Tensors without a buffer are activations. A buffer that several use is listed once, as the
  // first of them.
  void read_tensor(FlatTable table) {
    const auto number = table.scalar<std::uint32_t>(kBuffer);
    if (number >= buffers_.size() || buffers_[number].length_bytes == 0) return;
    Buffer& buffer = buffers_[number];
    if (++buffer.user_count > 1) return;
    const auto type = table.scalar<std::uint8_t>(kType);
    buffer.first_user.name = table.text(kName);
    buffer.first_user.dtype = type < kDtypes.size() ? kDtypes[type] : Dtype::opaque;
    buffer.first_user.shape = read_shape(table);
    buffer.first_user.offset_bytes = buffer.offset_bytes;
    buffer.first_user.length_bytes = buffer.length_bytes;
  }

  // What is not dense (sparse tensors, strings) stays opaque.
  void add(Buffer& buffer) {
    if (buffer.user_count == 0) return;
    Tensor& tensor = buffer.first_user;
    const bool is_dense = tensor_bytes_of(tensor.shape, tensor.dtype) == tensor.length_bytes;
    if (!is_dense) tensor.note = "encoded";
    if (buffer.user_count > 1) {
      tensor.note = "shared by " + std::to_string(buffer.user_count) + " tensors";
    }
    if (is_dense) return builder_.add_tensor(std::move(tensor));
    builder_.add_view(std::move(tensor));
  }

  std::vector<std::uint64_t> read_shape(FlatTable table) {
    const FlatVector dimensions = table.vector(kShape, 4);
    std::vector<std::uint64_t> shape;
    for (std::uint32_t i = 0; i < dimensions.count && i <= kMaxDimensions; ++i) {
      shape.push_back(flatbuffer_.scalar<std::uint32_t>(dimensions.offset_bytes + 4 * i));
    }
    return shape;
  }

  Flatbuffer flatbuffer_;
  LayoutBuilder& builder_;
  std::vector<Buffer> buffers_;
};

class TfliteParser final : public Parser {
 public:
  std::string_view name() const override { return "tflite"; }

  Confidence detect(const ParseInput& input) const override {
    if (input.head.size() < 8) return Confidence::none;
    return text_of(input.head.subspan(4, 4)) == "TFL3" ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(ModelReader(input.source, builder).read());
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& tflite_parser() {
  static const TfliteParser kParser;
  return kParser;
}

}  // namespace weightfs::format
