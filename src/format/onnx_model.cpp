#include "onnx_model.h"

#include <array>
#include <charconv>

#include "bounds.h"
#include "wire.h"

namespace weightfs::format {
namespace {

constexpr int kMaxGraphDepth = 16;

// TensorProto.DataType, in its order.
constexpr std::array kDtypes = {
    Dtype::opaque,      Dtype::f32,  Dtype::u8,      Dtype::i8,          Dtype::u16,
    Dtype::i16,         Dtype::i32,  Dtype::i64,     Dtype::string,      Dtype::boolean,
    Dtype::f16,         Dtype::f64,  Dtype::u32,     Dtype::u64,         Dtype::c64,
    Dtype::c128,        Dtype::bf16, Dtype::f8_e4m3, Dtype::f8_e4m3fnuz, Dtype::f8_e5m2,
    Dtype::f8_e5m2fnuz, Dtype::u4,   Dtype::i4,      Dtype::f4,          Dtype::f8_e8m0,
    Dtype::u2,          Dtype::i2,
};

Dtype dtype_of(std::uint64_t number) {
  return number < kDtypes.size() ? kDtypes[number] : Dtype::opaque;
}

class ModelReader {
 public:
  explicit ModelReader(const ByteSource& source) : file_(source) {}

  Result<OnnxModel> read() {
    WireMessage message(file_);
    while (const auto field = message.next()) read_model_field(*field);
    if (file_.failed()) return fail(Code::invalid, "the protobuf message is broken");
    if (!error_.empty()) return fail(Code::invalid, error_);
    return std::move(model_);
  }

 private:
  void read_model_field(const WireField& field) {
    if (field.is_varint(1)) add_metadata("ir_version", std::to_string(field.value));
    if (field.is_bytes(2)) add_metadata("producer_name", file_.text(field));
    if (field.is_bytes(3)) add_metadata("producer_version", file_.text(field));
    if (field.is_bytes(7)) read_graph(field, 0);
    if (field.is_bytes(14)) read_property(field);
    if (field.is_bytes(25)) read_function(field);
  }

  void add_metadata(std::string key, std::string value) {
    model_.metadata.emplace_back(std::move(key), std::move(value));
  }

  void read_property(const WireField& property) {
    const auto [key, value] = read_entry(property);
    add_metadata(key, value);
  }

  // A StringStringEntryProto. A value too long to be a name is left out.
  std::pair<std::string, std::string> read_entry(const WireField& entry) {
    std::pair<std::string, std::string> result;
    WireMessage message(file_, entry);
    while (const auto field = message.next()) {
      if (field->length_bytes > kMaxNameBytes) continue;
      if (field->is_bytes(1)) result.first = file_.text(*field);
      if (field->is_bytes(2)) result.second = file_.text(*field);
    }
    return result;
  }

  void read_function(const WireField& function) {
    WireMessage message(file_, function);
    while (const auto field = message.next()) {
      if (field->is_bytes(7)) read_node(*field, 0);
    }
  }

  void read_graph(const WireField& graph, int depth) {
    if (depth > kMaxGraphDepth) {
      error_ = "graphs are nested too deeply";
      return;
    }
    WireMessage message(file_, graph);
    while (const auto field = message.next()) {
      if (field->is_bytes(1)) read_node(*field, depth);
      if (field->is_bytes(5)) read_tensor(*field, {});
      if (field->is_bytes(15)) read_sparse(*field);
    }
  }

  // A constant is named by what the node puts out.
  void read_node(const WireField& node, int depth) {
    std::string output;
    WireMessage message(file_, node);
    while (const auto field = message.next()) {
      if (field->is_bytes(2) && output.empty()) output = file_.text(*field);
      if (field->is_bytes(5)) read_attribute(*field, output, depth);
    }
  }

  void read_attribute(const WireField& attribute, const std::string& output, int depth) {
    WireMessage message(file_, attribute);
    while (const auto field = message.next()) {
      if (field->is_bytes(5) || field->is_bytes(10)) read_tensor(*field, output);
      if (field->is_bytes(6) || field->is_bytes(11)) read_graph(*field, depth + 1);
      if (field->is_bytes(22) || field->is_bytes(23)) read_sparse(*field);
    }
  }

  void read_sparse(const WireField& sparse) {
    WireMessage message(file_, sparse);
    while (const auto field = message.next()) {
      if (field->is_bytes(1)) read_tensor(*field, "sparse values");
      if (field->is_bytes(2)) read_tensor(*field, "sparse indices");
    }
  }

  void read_tensor(const WireField& proto, const std::string& fallback_name) {
    if (model_.tensors.size() >= kMaxTensors) error_ = "too many tensors";
    if (!error_.empty()) return;
    OnnxTensor tensor;
    WireMessage message(file_, proto);
    while (const auto field = message.next()) read_tensor_field(*field, tensor);
    if (tensor.name.empty()) tensor.name = fallback_name;
    model_.tensors.push_back(std::move(tensor));
  }

  void read_tensor_field(const WireField& field, OnnxTensor& tensor) {
    switch (field.number) {
      case 1:
        return file_.append_varints(field, tensor.shape);
      case 2:
        tensor.dtype = dtype_of(field.value);
        return;
      case 8:
        tensor.name = file_.text(field);
        return;
      case 13:
        return read_external(field, tensor);
      case 14:
        if (field.value == 1) tensor.storage = OnnxStorage::external;
        return;
      case 4:   // float_data
      case 9:   // raw_data
      case 10:  // double_data
        return read_payload(field, OnnxStorage::raw, tensor);
      case 5:   // int32_data
      case 6:   // string_data
      case 7:   // int64_data
      case 11:  // uint64_data
        return read_payload(field, OnnxStorage::encoded, tensor);
      default:
        return;
    }
  }

  // A typed field that comes in pieces, or unpacked, is not one run of elements.
  void read_payload(const WireField& field, OnnxStorage storage, OnnxTensor& tensor) {
    const bool is_run = field.type == WireType::bytes && tensor.storage == OnnxStorage::none;
    if (tensor.storage == OnnxStorage::external) return;
    tensor.storage = is_run ? storage : OnnxStorage::encoded;
    if (!is_run) return;
    tensor.offset_bytes = field.offset_bytes;
    tensor.length_bytes = field.length_bytes;
  }

  void read_external(const WireField& field, OnnxTensor& tensor) {
    const auto [key, value] = read_entry(field);
    std::uint64_t number = 0;
    const char* end = value.data() + value.size();
    const bool is_number = std::from_chars(value.data(), end, number).ptr == end;
    if (key == "location") tensor.location = value;
    if (key == "offset" && is_number) tensor.offset_bytes = number;
    if (key == "length" && is_number) tensor.length_bytes = number;
  }

  WireFile file_;
  OnnxModel model_;
  std::string error_;
};

bool is_model_field(const WireField& field) {
  switch (field.number) {
    case 1:
    case 5:
      return field.type == WireType::varint;
    case 2:
    case 3:
    case 4:
    case 6:
    case 7:
    case 8:
    case 14:
    case 20:
    case 25:
    case 26:
      return field.type == WireType::bytes;
    default:
      return false;
  }
}

}  // namespace

bool looks_like_onnx(const ByteSource& source) {
  constexpr std::size_t kFieldLimit = 256;
  const auto fields = top_level_fields(source, kFieldLimit);
  if (!fields) return false;
  bool has_version = false;
  bool has_graph = false;
  for (const WireField& field : *fields) {
    if (!is_model_field(field)) return false;
    has_version = has_version || field.is_varint(1);
    has_graph = has_graph || field.is_bytes(7);
  }
  return has_version && has_graph;
}

Result<OnnxModel> read_onnx_model(const ByteSource& source) {
  return ModelReader(source).read();
}

}  // namespace weightfs::format
