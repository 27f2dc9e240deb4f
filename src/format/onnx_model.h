// What an ONNX model says about its tensors: the part that the parser of the model and the parser
// of its external data share. https://github.com/onnx/onnx/blob/main/docs/IR.md, onnx.proto.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/base/source.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

// Where the elements of a TensorProto are.
enum class OnnxStorage {
  none,      // an empty tensor
  raw,       // raw_data, or a packed field of floats: little-endian, dense
  encoded,   // typed fields that are varints or strings
  external,  // in another file
};

struct OnnxTensor {
  std::string name;
  Dtype dtype = Dtype::opaque;
  std::vector<std::uint64_t> shape;
  OnnxStorage storage = OnnxStorage::none;
  std::uint64_t offset_bytes = 0;             // in the model, or in the file `location`
  std::optional<std::uint64_t> length_bytes;  // external data need not say it
  std::string location;                       // of external data: a path relative to the model
};

struct OnnxModel {
  std::vector<OnnxTensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
};

// Whether the top-level fields are those of a ModelProto, with a graph.
bool looks_like_onnx(const ByteSource& source);

// Initializers and constants of the graph, of its subgraphs and of the model's functions, in file
// order; Code::invalid where the bytes are not such a message.
Result<OnnxModel> read_onnx_model(const ByteSource& source);

}  // namespace weightfs::format
