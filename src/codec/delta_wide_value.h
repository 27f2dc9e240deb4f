// One value of the fp32 and fp64 deltas: delta_wide.h has the formulas.
#pragma once

#include <cstdint>
#include <type_traits>

#include "delta_level.h"

namespace weightfs::codec {

template <class Word>
struct WideValue {
  using Signed = std::make_signed_t<Word>;
  static constexpr unsigned kBits = 8 * sizeof(Word);
  static constexpr unsigned kMantissaBits = sizeof(Word) == 4 ? 23 : 52;
  static constexpr Word kSign = Word{1} << (kBits - 1);
  static constexpr Word kMagnitude = kSign - 1;
  static constexpr Word kMantissa = (Word{1} << kMantissaBits) - 1;

  static constexpr unsigned exponent(Word value) {
    return static_cast<unsigned>((value & kMagnitude) >> kMantissaBits);
  }
  static constexpr Signed distance(Word value, Word base) {
    const Word turned = value ^ (base & kSign);
    const Word line = (turned & kSign) != 0 ? ~(turned & kMagnitude) : turned;
    return static_cast<Signed>(line - (base & kMagnitude));
  }
  // The inverse, of a symbol and low bits. Any give some value.
  static constexpr Word apply(Word base, unsigned symbol, Word low, unsigned low_bits) {
    const Word high = (static_cast<Word>(symbol) - static_cast<Word>(kDeltaCentre)) << low_bits;
    const Word line = (base & kMagnitude) + high + low;
    const Word turned = (line & kSign) != 0 ? (~line & kMagnitude) | kSign : line;
    return turned ^ (base & kSign);
  }

  static constexpr unsigned direct_symbol(Word value, unsigned top_exponent) {
    const unsigned of_value = exponent(value);
    const bool coded = of_value <= top_exponent && top_exponent - of_value < kDeltaEscape;
    return coded ? top_exponent - of_value : kDeltaEscape;
  }
  static constexpr Word direct_bits(Word value) {
    return (value & kMantissa) | ((value & kSign) >> (kBits - 1 - kMantissaBits));
  }
  static constexpr Word from_direct(unsigned symbol, Word low, unsigned top_exponent) {
    const Word of_exponent = static_cast<Word>(top_exponent - symbol) << kMantissaBits & kMagnitude;
    const Word sign = (low >> kMantissaBits) << (kBits - 1);
    return sign | of_exponent | (low & kMantissa);
  }
};

}  // namespace weightfs::codec
