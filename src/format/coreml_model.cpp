// Core ML's .mlmodel: a protobuf message; those of neural networks carry their weights, those of ML
// programs have them in weight.bin. coremltools/mlmodel/format/{Model,NeuralNetwork}.proto.
#include <algorithm>
#include <array>

#include "bounds.h"
#include "coreml_layers.h"
#include "layout_builder.h"
#include "parsers.h"
#include "wire.h"

namespace weightfs::format {
namespace {

constexpr std::uint32_t kVersionField = 1;
constexpr std::uint32_t kDescriptionField = 2;
constexpr std::uint32_t kUpdatableField = 10;
constexpr std::uint32_t kFirstTypeField = 200;  // of the model itself
constexpr std::uint32_t kLastTypeField = 3000;
constexpr std::uint64_t kMaxVersion = 64;
constexpr int kMaxPipelineDepth = 8;

constexpr std::array<std::uint32_t, 3> kNetworkFields = {303, 403, 500};
constexpr std::array<std::uint32_t, 3> kPipelineFields = {200, 201, 202};

// Packed from 1 to 8 bits; other widths have no dtype.
Dtype dtype_of_bits(std::uint64_t bits) {
  switch (bits) {
    case 1:
      return Dtype::u1;
    case 2:
      return Dtype::u2;
    case 4:
      return Dtype::u4;
    case 8:
      return Dtype::u8;
    default:
      return Dtype::opaque;
  }
}

// The fields of a layer's parameters that say what shapes its weights have.
struct Sizes {
  std::vector<std::uint64_t> first;   // field 1: output or input channels, or a constant's shape
  std::vector<std::uint64_t> second;  // field 2: kernel or output channels
  std::vector<std::uint64_t> kernel;  // field 20 of a convolution
  std::uint64_t groups = 1;           // its field 10
  bool is_deconvolution = false;      // its field 60
};

std::vector<std::uint64_t> shape_of(CoremlShape shape, const Sizes& sizes) {
  if (shape == CoremlShape::constant) return sizes.first;
  // A bias has as many elements as there are output channels.
  if (shape == CoremlShape::flat) {
    const bool is_convolution = !sizes.kernel.empty();
    return is_convolution || sizes.second.size() != 1 ? sizes.first : sizes.second;
  }
  if (sizes.first.size() != 1 || sizes.second.size() != 1) return {};
  const std::uint64_t first = sizes.first.front();
  const std::uint64_t second = sizes.second.front();
  std::vector<std::uint64_t> result;
  switch (shape) {
    case CoremlShape::convolution:
      result = {first, second};
      if (sizes.is_deconvolution)
        result = {second, first / std::max<std::uint64_t>(1, sizes.groups)};
      result.insert(result.end(), sizes.kernel.begin(), sizes.kernel.end());
      return result;
    case CoremlShape::inner_product:
    case CoremlShape::embedding:
      return {second, first};
    default:
      return {};
  }
}

class ModelReader {
 public:
  ModelReader(const ByteSource& source, LayoutBuilder& builder)
      : file_(source), builder_(builder) {}

  Status read() {
    read_model(WireMessage(file_), "", 0);
    if (file_.failed()) return fail(Code::invalid, "the protobuf message is broken");
    return {};
  }

 private:
  void read_model(WireMessage message, const std::string& prefix, int depth) {
    while (const auto field = message.next()) {
      if (depth == 0 && field->is_varint(kVersionField)) {
        builder_.add_metadata("specificationVersion", std::to_string(field->value));
      }
      if (field->type != WireType::bytes) continue;
      if (std::ranges::count(kNetworkFields, field->number) > 0) read_network(*field, prefix);
      if (std::ranges::count(kPipelineFields, field->number) > 0) {
        read_pipeline(*field, field->number == 202, prefix, depth);
      }
    }
  }

  // PipelineClassifier and PipelineRegressor hold a Pipeline, whose field 1 are models.
  void read_pipeline(const WireField& pipeline, bool is_plain, const std::string& prefix,
                     int depth) {
    if (depth >= kMaxPipelineDepth) return;
    WireMessage message(file_, pipeline);
    for (std::size_t i = 0; const auto field = message.next();) {
      if (!field->is_bytes(1)) continue;
      if (!is_plain) {
        read_pipeline(*field, true, prefix, depth + 1);
      } else {
        read_model(WireMessage(file_, *field), prefix + std::to_string(i++) + "/", depth + 1);
      }
    }
  }

  void read_network(const WireField& network, const std::string& prefix) {
    WireMessage message(file_, network);
    while (const auto field = message.next()) {
      if (field->is_bytes(1)) read_layer(*field, prefix);
    }
  }

  void read_layer(const WireField& layer, const std::string& prefix) {
    std::string name = prefix;
    WireMessage message(file_, layer);
    while (const auto field = message.next()) {
      if (field->is_bytes(1)) name += file_.text(*field);
      if (field->type != WireType::bytes || field->number < 100) continue;
      if (is_coreml_lstm(field->number)) {
        read_lstm(*field, name);
      } else {
        read_parameters(*field, name);
      }
    }
  }

  void read_parameters(const WireField& parameters, const std::string& layer_name) {
    const Sizes sizes = sizes_of(parameters);
    WireMessage message(file_, parameters);
    while (const auto field = message.next()) {
      if (field->type != WireType::bytes) continue;
      for (const CoremlWeight& place : kCoremlWeights) {
        if (place.layer != parameters.number) continue;
        const std::string name = layer_name + "/" + std::string(place.name);
        if (place.inner == 0 && place.field == field->number) {
          read_weight(*field, name, shape_of(place.shape, sizes));
        } else if (place.inner != 0 && place.inner == field->number) {
          read_inner(*field, place.field, name);
        }
      }
    }
  }

  void read_inner(const WireField& parameters, std::uint32_t number, const std::string& name) {
    WireMessage message(file_, parameters);
    while (const auto field = message.next()) {
      if (field->is_bytes(number)) read_weight(*field, name, {});
    }
  }

  void read_lstm(const WireField& parameters, const std::string& layer_name) {
    WireMessage message(file_, parameters);
    for (std::size_t direction = 0; const auto field = message.next();) {
      if (!field->is_bytes(kCoremlLstmParameters)) continue;
      const std::string prefix = layer_name + (direction++ == 0 ? "/" : "/backward/");
      for (const auto& [number, name] : kCoremlLstmWeights)
        read_inner(*field, number, prefix + name);
    }
  }

  Sizes sizes_of(const WireField& parameters) {
    Sizes sizes;
    const bool is_convolution = parameters.number == 100;
    const bool is_constant = parameters.number == 290 || parameters.number == 1070;
    WireMessage message(file_, parameters);
    while (const auto field = message.next()) {
      const bool is_number = field->type == WireType::varint;
      if (field->number == 1 && (is_number || is_constant)) {
        file_.append_varints(*field, sizes.first);
      }
      if (field->number == 2 && is_number) sizes.second.push_back(field->value);
      if (!is_convolution) continue;
      if (field->number == 20) file_.append_varints(*field, sizes.kernel);
      if (field->is_varint(10)) sizes.groups = field->value;
      if (field->is_varint(60)) sizes.is_deconvolution = field->value != 0;
    }
    return sizes;
  }

  // WeightParams: one of its values, and how many bits a quantized one has.
  void read_weight(const WireField& weight, const std::string& name,
                   std::vector<std::uint64_t> shape) {
    Tensor tensor;
    tensor.name = name;
    tensor.shape = std::move(shape);
    std::uint64_t bits = 8;
    WireMessage message(file_, weight);
    while (const auto field = message.next()) {
      if (field->is_bytes(1)) set_data(*field, Dtype::f32, tensor);
      if (field->is_bytes(2)) set_data(*field, Dtype::f16, tensor);
      if (field->is_bytes(30)) set_data(*field, Dtype::u8, tensor);
      if (field->is_bytes(31)) set_data(*field, Dtype::i8, tensor);
      if (field->is_bytes(40)) bits = bits_of(*field).value_or(bits);
    }
    if (tensor.dtype == Dtype::u8) tensor.dtype = dtype_of_bits(bits);
    add(std::move(tensor));
  }

  std::optional<std::uint64_t> bits_of(const WireField& quantization) {
    std::optional<std::uint64_t> bits;
    WireMessage message(file_, quantization);
    while (const auto field = message.next()) {
      if (field->is_varint(1)) bits = field->value;
    }
    return bits;
  }

  static void set_data(const WireField& field, Dtype dtype, Tensor& tensor) {
    if (field.length_bytes == 0) return;
    tensor.dtype = dtype;
    tensor.offset_bytes = field.offset_bytes;
    tensor.length_bytes = field.length_bytes;
  }

  // A shape that the layer does not say, or that its bytes don't fill, is that of a vector.
  void add(Tensor tensor) {
    if (tensor.length_bytes == 0) return;
    const DtypeLayout unit = dtype_layout(tensor.dtype);
    if (tensor.length_bytes % unit.unit_bytes != 0) {
      return builder_.set_opaque_reason("weight " + tensor.name + " has a broken length");
    }
    const bool is_filled =
        !tensor.shape.empty() && tensor_bytes_of(tensor.shape, tensor.dtype) == tensor.length_bytes;
    if (!is_filled) tensor.shape = {tensor.length_bytes / unit.unit_bytes * unit.unit_elements};
    builder_.add_tensor(std::move(tensor));
  }

  WireFile file_;
  LayoutBuilder& builder_;
};

bool is_type_field(std::uint32_t number) {
  return number >= kFirstTypeField && number <= kLastTypeField;
}

class CoremlModelParser final : public Parser {
 public:
  std::string_view name() const override { return "coreml-model"; }

  Confidence detect(const ParseInput& input) const override {
    const auto fields = top_level_fields(input.source, 8);
    if (!fields || fields->size() < 3) return Confidence::none;
    const WireField& version = fields->front();
    if (!version.is_varint(kVersionField) || version.value == 0 || version.value > kMaxVersion) {
      return Confidence::none;
    }
    bool has_description = false;
    bool has_type = false;
    for (const WireField& field : *fields) {
      has_description = has_description || field.is_bytes(kDescriptionField);
      has_type = has_type || (is_type_field(field.number) && field.type == WireType::bytes);
      const bool is_known = field.number == kVersionField || field.number == kDescriptionField ||
                            field.number == kUpdatableField || is_type_field(field.number);
      if (!is_known) return Confidence::none;
    }
    return has_description && has_type ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(ModelReader(input.source, builder).read());
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& coreml_model_parser() {
  static const CoremlModelParser kParser;
  return kParser;
}

}  // namespace weightfs::format
