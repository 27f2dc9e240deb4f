#include "sample_bits.h"

#include <bit>

namespace weightfs::similar {
namespace {

constexpr std::uint32_t kInfinity = 0x7F80;

std::uint16_t from_half(std::uint32_t half) {
  const std::uint32_t sign = half & 0x8000;
  const std::uint32_t exponent = (half >> 10) & 31;
  const std::uint32_t mantissa = half & 0x3FF;
  if (exponent == 31) return static_cast<std::uint16_t>(sign | kInfinity | (mantissa >> 3));
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(value) >> 16));
  }
  return static_cast<std::uint16_t>(sign | ((exponent + 112) << 7) | (mantissa >> 3));
}

std::uint16_t from_double(std::uint64_t bits) {
  const auto sign = static_cast<std::uint32_t>(bits >> 63) << 15;
  const int exponent = static_cast<int>((bits >> 52) & 0x7FF) - 1023 + 127;
  if (exponent <= 0) return static_cast<std::uint16_t>(sign);
  if (exponent >= 255) return static_cast<std::uint16_t>(sign | kInfinity);
  const auto mantissa = static_cast<std::uint32_t>(bits >> 45) & 0x7F;
  return static_cast<std::uint16_t>(sign | (static_cast<std::uint32_t>(exponent) << 7) | mantissa);
}

}  // namespace

std::uint16_t sample_bits(ByteSpan unit, Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
    case Dtype::c128:
      return from_double(load_unaligned<std::uint64_t>(unit.data()));
    case Dtype::f32:
    case Dtype::c64:
    case Dtype::guessed_32:
      return load_unaligned<std::uint16_t>(unit.data() + 2);
    case Dtype::f16:
      return from_half(load_unaligned<std::uint16_t>(unit.data()));
    default:
      break;
  }
  if (unit.size() >= 2) return load_unaligned<std::uint16_t>(unit.data());
  return static_cast<std::uint16_t>(std::to_integer<std::uint32_t>(unit[0]) << 8);
}

}  // namespace weightfs::similar
