// IEEE halves from singles and back, by integers and one float addition that does the rounding of
// denormals (F. Giesen, float->half variants, 2016): of one number, or of a vector of them. For
// files that are compiled for more than the baseline CPU too (rans_kernels.h says what that takes).
#pragma once

#include <cstdint>

namespace weightfs::codec {
namespace {

constexpr std::uint32_t kSingleSign = 0x80000000;
constexpr std::uint32_t kSingleInfinity = 0x7F800000;
constexpr std::uint32_t kFirstTooLargeForHalf = 0x47800000;  // 65536
constexpr std::uint32_t kFirstNormalHalf = 0x38800000;       // 2^-14
// Its last bit weighs as much as the last of a half's denormals.
constexpr float kHalfDenormalMagic = 0.5F;
constexpr std::uint32_t kHalfDenormalMagicBits = 0x3F000000;
// From an exponent's bias of 127 to one of 15.
constexpr std::uint32_t kHalfRebias = (127U - 15U) << 23;

// `Bits` is std::uint32_t or a vector of them, `Float` the same of float.
template <class Float, class Bits>
[[gnu::always_inline]] inline Bits half_of(Bits single) {
  const Bits sign = single & kSingleSign;
  const Bits magnitude = single ^ sign;
  const Bits normal = (magnitude - kHalfRebias + 0xFFF + (magnitude >> 13 & 1)) >> 13;
  const Float shifted = __builtin_bit_cast(Float, magnitude) + kHalfDenormalMagic;
  const Bits denormal = __builtin_bit_cast(Bits, shifted) - kHalfDenormalMagicBits;
  const Bits special = magnitude > kSingleInfinity ? Bits{} + 0x7E00 : Bits{} + 0x7C00;
  const Bits finite = magnitude < kFirstNormalHalf ? denormal : normal;
  return (magnitude >= kFirstTooLargeForHalf ? special : finite) | sign >> 16;
}

// A denormal's value is its mantissa's after 2^-14 are taken off again, which is exact.
template <class Float, class Bits>
[[gnu::always_inline]] inline Bits single_of(Bits half) {
  const Bits sign = (half & 0x8000) << 16;
  const Bits magnitude = (half & 0x7FFF) << 13;
  const Bits normal = magnitude + kHalfRebias;
  const Float above = __builtin_bit_cast(Float, (magnitude & 0x7FE000) | kFirstNormalHalf);
  const Bits denormal = __builtin_bit_cast(Bits, above - 0x1p-14F);
  const Bits quiet = (half & 0x3FF) != 0 ? Bits{} + 0x400000 : Bits{};
  const Bits finite = (half & 0x7C00) == 0 ? denormal : normal;
  return ((half & 0x7C00) == 0x7C00 ? magnitude | kSingleInfinity | quiet : finite) | sign;
}

}  // namespace
}  // namespace weightfs::codec
