// Which tensors can be functions of others: casts and quantizations.
//
// A block that is one is coded as the function and what differs from its result (CodecTag::derived,
// docs/codecs-derived.md). Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weightfs/base/bytes.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::codec {

// Whether there is a function that makes tensors of `to` from those of `from`, another dtype.
bool is_derivable(Dtype from, Dtype to);

// The bytes of dtype `from` that hold as many elements as `length_bytes` (whole units) of dtype
// `to`.
std::uint64_t source_bytes(Dtype from, Dtype to, std::uint64_t length_bytes);

// Whether tensors of `dtype` are ggml's blocks that can be made from floats.
bool is_derivable_quantization(Dtype dtype);

// What value `index` of a block of such a dtype stands for; `block` is one unit.
float dequantized(Dtype dtype, ByteSpan block, std::size_t index);

}  // namespace weightfs::codec
