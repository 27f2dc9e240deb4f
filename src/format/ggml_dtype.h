// The numbers that ggml and its kin give to element types.
#pragma once

#include <cstdint>
#include <optional>

#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

// ggml.h, enum ggml_type; the repacked variants have the dtype whose bytes they permute.
std::optional<Dtype> dtype_of_ggml(std::uint32_t type);
// rwkv.cpp's own numbers, in its "ggmf" files of version 100 and 101.
std::optional<Dtype> dtype_of_rwkv(std::uint32_t type);

}  // namespace weightfs::format
