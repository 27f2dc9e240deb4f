// One value of the 16-bit delta: delta_16_kernels.h has the formulas.
#pragma once

#include "delta_16_kernels.h"
#include "delta_level.h"

namespace weightfs::codec {

constexpr unsigned kDelta16Magnitude = 0x7FFF;
constexpr unsigned kDelta16Sign = 0x8000;

constexpr unsigned delta_16_level(unsigned base, unsigned mantissa_bits, unsigned top_level) {
  return delta_level((base & kDelta16Magnitude) >> mantissa_bits, top_level);
}

// How many representable values `value` lies above `base`, away from zero being up.
constexpr int delta_16_distance(unsigned value, unsigned base) {
  const unsigned turned = value ^ (base & kDelta16Sign);
  const int magnitude = static_cast<int>(turned & kDelta16Magnitude);
  const int line = (turned & kDelta16Sign) != 0 ? -1 - magnitude : magnitude;
  return line - static_cast<int>(base & kDelta16Magnitude);
}

// The value at a distance from `base`; the inverse of the above. Any distance gives some value.
constexpr unsigned delta_16_apply(unsigned base, int distance) {
  const int line = static_cast<int>(base & kDelta16Magnitude) + distance;
  const unsigned turned =
      line < 0 ? (static_cast<unsigned>(-1 - line) & kDelta16Magnitude) | kDelta16Sign
               : static_cast<unsigned>(line) & kDelta16Magnitude;
  return turned ^ (base & kDelta16Sign);
}

constexpr unsigned delta_16_direct_symbol(unsigned value, unsigned mantissa_bits,
                                          unsigned top_exponent) {
  const unsigned exponent = (value & kDelta16Magnitude) >> mantissa_bits;
  const unsigned symbol = (top_exponent - exponent) & 0xFF;
  return symbol > 30 ? kDeltaEscape : symbol;
}

constexpr unsigned delta_16_direct_byte(unsigned value, unsigned mantissa_bits) {
  return ((value & kDelta16Sign) >> 8) | ((value >> (mantissa_bits - 7)) & 0x7F);
}

// The value of a direct code; `low` are its mantissa_bits - 7 low bits.
constexpr unsigned delta_16_from_direct(unsigned symbol, unsigned byte, unsigned low,
                                        unsigned mantissa_bits, unsigned top_exponent) {
  const unsigned exponent = ((top_exponent - symbol) << mantissa_bits) & kDelta16Magnitude;
  return ((byte & 0x80) << 8) | exponent | ((byte & 0x7F) << (mantissa_bits - 7)) | low;
}

}  // namespace weightfs::codec
