// Caffe: a NetParameter whose layers carry their blobs. caffe/src/caffe/proto/caffe.proto.
#include "bounds.h"
#include "layout_builder.h"
#include "parsers.h"
#include "wire.h"

namespace weightfs::format {
namespace {

// LayerParameter, and the V1LayerParameter before it: the numbers of the same fields.
struct LayerFields {
  std::uint32_t name;
  std::uint32_t blobs;
};
constexpr std::uint32_t kLayerField = 100;
constexpr std::uint32_t kV1LayerField = 2;

std::optional<LayerFields> layer_fields_of(const WireField& field) {
  if (field.is_bytes(kLayerField)) return LayerFields{.name = 1, .blobs = 7};
  if (field.is_bytes(kV1LayerField)) return LayerFields{.name = 4, .blobs = 6};
  return std::nullopt;
}

class NetReader {
 public:
  NetReader(const ByteSource& source, LayoutBuilder& builder) : file_(source), builder_(builder) {}

  Status read() {
    WireMessage message(file_);
    while (const auto field = message.next()) {
      if (field->is_bytes(1)) builder_.add_metadata("name", file_.text(*field));
      if (const auto fields = layer_fields_of(*field)) read_layer(*field, *fields);
    }
    if (file_.failed()) return fail(Code::invalid, "the protobuf message is broken");
    return {};
  }

 private:
  void read_layer(const WireField& layer, const LayerFields& fields) {
    std::string name;
    std::vector<WireField> blobs;
    WireMessage message(file_, layer);
    while (const auto field = message.next()) {
      if (field->is_bytes(fields.name)) name = file_.text(*field);
      if (field->is_bytes(fields.blobs)) blobs.push_back(*field);
    }
    for (std::size_t i = 0; i < blobs.size() && !file_.failed(); ++i) {
      read_blob(blobs[i], name + "/" + std::to_string(i));
    }
  }

  void read_blob(const WireField& blob, std::string name) {
    Tensor tensor;
    tensor.name = std::move(name);
    std::vector<std::uint64_t> old_shape;  // num, channels, height, width
    WireMessage message(file_, blob);
    while (const auto field = message.next()) {
      if (field->type == WireType::varint && field->number <= 4) old_shape.push_back(field->value);
      if (field->is_bytes(7)) read_shape(*field, tensor.shape);
      if (field->is_bytes(5)) set_data(*field, Dtype::f32, tensor);
      if (field->is_bytes(8)) set_data(*field, Dtype::f64, tensor);
    }
    if (tensor.shape.empty()) tensor.shape = std::move(old_shape);
    add(std::move(tensor));
  }

  // Data that comes in pieces or unpacked is not one run: the blob stays opaque.
  void add(Tensor tensor) {
    if (tensor.length_bytes == 0) return;
    if (tensor_bytes_of(tensor.shape, tensor.dtype) == tensor.length_bytes) {
      builder_.add_tensor(std::move(tensor));
    } else {
      builder_.set_opaque_reason("blob " + tensor.name + " is not of its shape");
    }
  }

  void read_shape(const WireField& shape, std::vector<std::uint64_t>& dimensions) {
    WireMessage message(file_, shape);
    while (const auto field = message.next()) {
      if (field->number == 1) file_.append_varints(*field, dimensions);
    }
  }

  static void set_data(const WireField& field, Dtype dtype, Tensor& tensor) {
    tensor.dtype = dtype;
    tensor.offset_bytes = field.offset_bytes;
    tensor.length_bytes = field.length_bytes;
  }

  WireFile file_;
  LayoutBuilder& builder_;
};

bool is_net_field(const WireField& field) {
  switch (field.number) {
    case 1:
    case 2:
    case 3:
    case 6:
    case 8:
    case 100:
      return field.type == WireType::bytes;
    case 4:
      return true;  // input_dim, packed or not
    case 5:
    case 7:
      return field.type == WireType::varint;
    default:
      return false;
  }
}

// Whether the first layer has a printable name where its version keeps it.
bool has_layer_name(const ByteSource& source, const WireField& layer) {
  const auto fields = layer_fields_of(layer);
  WireFile file(source);
  WireMessage message(file, layer);
  while (const auto field = message.next()) {
    if (!field->is_bytes(fields->name)) continue;
    const std::string name = file.text(*field);
    if (name.empty() || file.failed()) return false;
    for (const char c : name) {
      if (c < ' ' || c == 0x7f) return false;
    }
    return true;
  }
  return false;
}

class CaffeParser final : public Parser {
 public:
  std::string_view name() const override { return "caffe"; }

  Confidence detect(const ParseInput& input) const override {
    const auto fields = top_level_fields(input.source, 64);
    if (!fields || fields->empty()) return Confidence::none;
    for (const WireField& field : *fields) {
      if (!is_net_field(field)) return Confidence::none;
    }
    for (const WireField& field : *fields) {
      if (!layer_fields_of(field)) continue;
      return has_layer_name(input.source, field) ? Confidence::likely : Confidence::none;
    }
    return Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(NetReader(input.source, builder).read());
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& caffe_parser() {
  static const CaffeParser kParser;
  return kParser;
}

}  // namespace weightfs::format
