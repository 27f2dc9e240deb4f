// Logarithms of small counts, for estimates that look at many of them.
#pragma once

#include <cstdint>

namespace weightfs::codec {

// log2(value), from a table below 8193; 0 for 0.
double log2_of(std::uint32_t value);

}  // namespace weightfs::codec
