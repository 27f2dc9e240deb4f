// What a block of floats is coded as, by a look at a sample of it.
#pragma once

#include <optional>

#include "float_codec.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::codec {

// The kind of float that a dtype says, or for a guessed dtype the sample: nothing if it is no float
// that the float codecs know.
std::optional<FloatKind> float_kind(Dtype dtype, ByteSpan raw);

// Whether the same words, other than zero, come again and again in a sample: then zstd may do
// better.
bool looks_repetitive(ByteSpan raw);

}  // namespace weightfs::codec
