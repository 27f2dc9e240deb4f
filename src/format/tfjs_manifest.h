// TensorFlow.js's weights manifest: groups of weights, each stored end to end in a list of shards.
// https://github.com/tensorflow/tfjs/blob/master/tfjs-core/src/io/types.ts
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/base/source.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

struct TfjsWeight {
  std::string name;
  Dtype dtype = Dtype::opaque;  // as stored: that of the quantization where there is one
  std::vector<std::uint64_t> shape;
};

struct TfjsGroup {
  std::vector<std::string> paths;
  std::vector<TfjsWeight> weights;
};

// A manifest alone, or the one in a model.json. Code::invalid where the JSON has none, or is larger
// than kMaxManifestBytes.
constexpr std::uint64_t kMaxManifestBytes = 8ULL << 20;
Result<std::vector<TfjsGroup>> read_tfjs_manifest(const ByteSource& json);

}  // namespace weightfs::format
