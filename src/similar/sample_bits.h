// One sampled element, brought to 16 bits.
#pragma once

#include <cstdint>

#include "weightfs/base/bytes.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::similar {

// Of a float the upper half of the nearest IEEE single, rounded down; of anything else the first
// two bytes of the unit, a single byte being the upper one. `unit` is one unit of `dtype`.
// Persisted in sketches: never changes.
std::uint16_t sample_bits(ByteSpan unit, Dtype dtype);

}  // namespace weightfs::similar
