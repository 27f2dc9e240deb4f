// PyTorch's names of element types.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

// Of "torch.FloatStorage", "torch.cuda.HalfStorage", ...; u8 for untyped storages.
std::optional<Dtype> dtype_of_torch_storage(std::string_view class_name);
// Of "torch.float32", "torch.bfloat16", ...
std::optional<Dtype> dtype_of_torch(std::string_view name);

struct TorchElement {
  Dtype dtype = Dtype::opaque;
  std::uint32_t item_bytes = 0;  // 0 for dtype's own
};
// Of any name: an element type that Dtype lacks ("torch.complex32") is opaque, with its size.
TorchElement torch_element(std::string_view name);

}  // namespace weightfs::format
