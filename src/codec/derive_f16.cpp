// IEEE halves, by integers and one float addition that does the rounding of denormals, so that
// compilers make vectors of the loops (F. Giesen, float->half variants, 2016).
#include <bit>

#include "derive.h"

namespace weightfs::codec {
namespace {

constexpr std::uint32_t kSign = 0x80000000;
constexpr std::uint32_t kInfinity = 0x7F800000;
constexpr std::uint32_t kFirstTooLarge = 0x47800000;  // 65536
constexpr std::uint32_t kFirstNormal = 0x38800000;    // 2^-14
// Its last bit weighs as much as the last of a half's denormals.
constexpr float kDenormalMagic = 0.5F;
// From an exponent's bias of 127 to one of 15.
constexpr std::uint32_t kRebias = (127U - 15U) << 23;

std::uint32_t half_of(std::uint32_t single) {
  const std::uint32_t sign = single & kSign;
  const std::uint32_t magnitude = single ^ sign;
  const std::uint32_t normal = (magnitude - kRebias + 0xFFF + (magnitude >> 13 & 1)) >> 13;
  const float shifted = std::bit_cast<float>(magnitude) + kDenormalMagic;
  const std::uint32_t denormal =
      std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kDenormalMagic);
  const std::uint32_t special = magnitude > kInfinity ? 0x7E00 : 0x7C00;
  const std::uint32_t finite = magnitude < kFirstNormal ? denormal : normal;
  return (magnitude >= kFirstTooLarge ? special : finite) | sign >> 16;
}

std::uint32_t single_of(std::uint32_t half) {
  const std::uint32_t sign = (half & 0x8000) << 16;
  const std::uint32_t magnitude = (half & 0x7FFF) << 13;
  const std::uint32_t normal = magnitude + kRebias;
  const float denormal = static_cast<float>(static_cast<std::int32_t>(half & 0x3FF)) * 0x1p-24F;
  const std::uint32_t quiet = (half & 0x3FF) != 0 ? 0x400000 : 0;
  const std::uint32_t finite =
      (half & 0x7C00) == 0 ? std::bit_cast<std::uint32_t>(denormal) : normal;
  return ((half & 0x7C00) == 0x7C00 ? magnitude | kInfinity | quiet : finite) | sign;
}

}  // namespace

void round_to_f16(ByteSpan f32, MutableByteSpan f16) {
  const std::size_t count = f16.size() / 2;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = load_unaligned<std::uint32_t>(f32.data() + 4 * i);
    store_unaligned(f16.data() + 2 * i, static_cast<std::uint16_t>(half_of(bits)));
  }
}

void widen_f16(ByteSpan f16, MutableByteSpan f32) {
  const std::size_t count = f32.size() / 4;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = load_unaligned<std::uint16_t>(f16.data() + 2 * i);
    store_unaligned(f32.data() + 4 * i, single_of(bits));
  }
}

}  // namespace weightfs::codec
