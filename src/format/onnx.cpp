// ONNX: a ModelProto with the weights in it, or beside it in files of external data.
// https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
#include "bounds.h"
#include "layout_builder.h"
#include "onnx_model.h"
#include "parsers.h"
#include "shared_extents.h"

namespace weightfs::format {
namespace {

// Neighbours that are asked whether a file holds their data.
constexpr int kMaxModelsAsked = 16;

Tensor tensor_of(const OnnxTensor& source) {
  Tensor tensor;
  tensor.name = source.name;
  tensor.dtype = source.dtype;
  tensor.shape = source.shape;
  return tensor;
}

void add_inline(const OnnxTensor& source, LayoutBuilder& builder) {
  Tensor tensor = tensor_of(source);
  tensor.offset_bytes = source.offset_bytes;
  tensor.length_bytes = source.length_bytes.value_or(0);
  const bool is_dense = tensor_bytes_of(source.shape, source.dtype) == tensor.length_bytes;
  if (source.storage == OnnxStorage::raw && is_dense) return builder.add_tensor(std::move(tensor));
  if (source.storage != OnnxStorage::none) tensor.note = "encoded";
  builder.add_view(std::move(tensor));
}

void add_external(const OnnxTensor& source, LayoutBuilder& builder) {
  Tensor tensor = tensor_of(source);
  tensor.note = "external: " + source.location;
  builder.add_view(std::move(tensor));
}

class OnnxParser final : public Parser {
 public:
  std::string_view name() const override { return "onnx"; }

  // The field numbers of a small message say little: other protobuf formats come as near as that.
  Confidence detect(const ParseInput& input) const override {
    return looks_like_onnx(input.source) ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(const OnnxModel model, read_onnx_model(input.source));
    LayoutBuilder builder(name(), input.source.size_bytes());
    for (const auto& [key, value] : model.metadata) builder.add_metadata(key, value);
    for (const OnnxTensor& tensor : model.tensors) {
      if (tensor.storage == OnnxStorage::external) {
        add_external(tensor, builder);
      } else {
        add_inline(tensor, builder);
      }
    }
    return std::move(builder).finish();
  }
};

bool is_at(const OnnxTensor& tensor, std::string_view file_name) {
  if (tensor.storage != OnnxStorage::external) return false;
  std::string_view location = tensor.location;
  if (location.starts_with("./")) location.remove_prefix(2);
  return location == file_name;
}

// The tensors of `model` that lie in the file of this name.
std::vector<OnnxTensor> external_tensors_of(const ByteSource& model, std::string_view file_name) {
  std::vector<OnnxTensor> tensors;
  if (!looks_like_onnx(model)) return tensors;
  const Result<OnnxModel> read = read_onnx_model(model);
  if (!read) return tensors;
  for (const OnnxTensor& tensor : read->tensors) {
    if (is_at(tensor, file_name)) tensors.push_back(tensor);
  }
  return tensors;
}

struct ExternalData {
  std::string model_name;
  std::vector<OnnxTensor> tensors;  // empty where no neighbour names the file
};

ExternalData external_data_of(const ParseInput& input) {
  if (input.neighbours == nullptr || input.name.ends_with(".onnx")) return {};
  int asked_count = 0;
  for (const std::string& neighbour : input.neighbours->names()) {
    if (!neighbour.ends_with(".onnx") || ++asked_count > kMaxModelsAsked) continue;
    const auto model = input.neighbours->open(neighbour);
    if (model == nullptr) continue;
    ExternalData data{neighbour, external_tensors_of(*model, input.name)};
    if (!data.tensors.empty()) return data;
  }
  return {};
}

class OnnxDataParser final : public Parser {
 public:
  std::string_view name() const override { return "onnx-data"; }

  Confidence detect(const ParseInput& input) const override {
    return external_data_of(input).tensors.empty() ? Confidence::none : Confidence::likely;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const ExternalData data = external_data_of(input);
    LayoutBuilder builder(name(), input.source.size_bytes());
    builder.add_metadata("model", data.model_name);
    SharedExtents extents(builder);
    for (const OnnxTensor& source : data.tensors) {
      const auto dense_bytes = tensor_bytes_of(source.shape, source.dtype);
      if (!dense_bytes || source.length_bytes.value_or(*dense_bytes) != *dense_bytes) {
        return fail(Code::invalid, "the size of tensor " + source.name + " is wrong");
      }
      Tensor tensor = tensor_of(source);
      tensor.offset_bytes = source.offset_bytes;
      tensor.length_bytes = *dense_bytes;
      extents.add_tensor(std::move(tensor));
    }
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& onnx_parser() {
  static const OnnxParser kParser;
  return kParser;
}

const Parser& onnx_data_parser() {
  static const OnnxDataParser kParser;
  return kParser;
}

}  // namespace weightfs::format
