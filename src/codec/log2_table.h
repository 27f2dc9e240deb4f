// Logarithms of small counts, for estimates that look at many of them.
#pragma once

#include <cmath>
#include <cstdint>

namespace weightfs::codec {

constexpr std::uint32_t kLog2TableSize = 8193;
// log2 of each value below kLog2TableSize, 0 for 0; made when it is first asked for.
const float* log2_table();

// log2(value), 0 for 0.
inline double log2_of(std::uint32_t value) {
  static const float* const table = log2_table();
  return value < kLog2TableSize ? static_cast<double>(table[value])
                                : std::log2(static_cast<double>(value));
}

}  // namespace weightfs::codec
