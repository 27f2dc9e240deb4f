// TensorFlow's numbers for element types: GraphDef, bundles. tensorflow/core/framework/types.proto.
#pragma once

#include <cstdint>

#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

// Dtype::opaque for what has no bytes of its own (resources, variants) or is not known.
Dtype tf_dtype(std::uint64_t number);

}  // namespace weightfs::format
