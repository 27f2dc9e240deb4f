// Levels and symbols of float deltas (delta_model.h says what they are for). Shared with kernels:
// see rans_kernels.h.
#pragma once

#include <type_traits>

namespace weightfs::codec {

constexpr unsigned kDeltaLevels = 64;
constexpr unsigned kDeltaEscape = 31;  // the symbol of what has no other
constexpr int kDeltaCentre = 15;       // the symbol of distance >> k == 0
constexpr unsigned kDeltaDirectContext = 3;

constexpr unsigned delta_level(unsigned base_exponent, unsigned top_level) {
  const unsigned level = base_exponent > top_level ? 0 : top_level - base_exponent;
  return level < kDeltaLevels ? level : kDeltaLevels - 1;
}

template <class Distance>
constexpr unsigned delta_symbol(Distance distance, unsigned low_bits) {
  using Unsigned = std::make_unsigned_t<Distance>;
  const auto symbol = static_cast<Unsigned>(distance >> low_bits) + Unsigned{kDeltaCentre};
  return static_cast<unsigned>(symbol < kDeltaEscape ? symbol : kDeltaEscape);
}

}  // namespace weightfs::codec
