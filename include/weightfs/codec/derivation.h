// Which tensors can be functions of others: casts and quantizations.
//
// A block that is one is coded as the function and what differs from its result (CodecTag::derived,
// docs/codecs-derived.md). Thread-safe.
#pragma once

#include <cstdint>

#include "weightfs/tensor/dtype.h"

namespace weightfs::codec {

// Whether there is a function that makes tensors of `to` from those of `from`, another dtype.
bool is_derivable(Dtype from, Dtype to);

// The bytes of dtype `from` that hold as many elements as `length_bytes` (whole units) of dtype
// `to`.
std::uint64_t source_bytes(Dtype from, Dtype to, std::uint64_t length_bytes);

}  // namespace weightfs::codec
