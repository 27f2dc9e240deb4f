// PyTorch's names of element types.
#pragma once

#include <optional>
#include <string_view>

#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

// Of "torch.FloatStorage", "torch.cuda.HalfStorage", ...; u8 for untyped storages.
std::optional<Dtype> dtype_of_torch_storage(std::string_view class_name);
// Of "torch.float32", "torch.bfloat16", ...
std::optional<Dtype> dtype_of_torch(std::string_view name);

}  // namespace weightfs::format
