// bfloat16 is the upper half of an IEEE single.
#include "derive.h"

namespace weightfs::codec {
namespace {

constexpr std::uint32_t kMagnitude = 0x7FFFFFFF;
constexpr std::uint32_t kInfinity = 0x7F800000;
constexpr std::uint32_t kQuietNan = 0x7FC0;

}  // namespace

void round_to_bf16(ByteSpan f32, MutableByteSpan bf16) {
  const std::size_t count = bf16.size() / 2;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = load_unaligned<std::uint32_t>(f32.data() + 4 * i);
    const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    const std::uint32_t value = (bits & kMagnitude) > kInfinity ? kQuietNan : rounded;
    store_unaligned(bf16.data() + 2 * i, static_cast<std::uint16_t>(value));
  }
}

void truncate_to_bf16(ByteSpan f32, MutableByteSpan bf16) {
  const std::size_t count = bf16.size() / 2;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = load_unaligned<std::uint32_t>(f32.data() + 4 * i);
    store_unaligned(bf16.data() + 2 * i, static_cast<std::uint16_t>(bits >> 16));
  }
}

void widen_bf16(ByteSpan bf16, MutableByteSpan f32) {
  const std::size_t count = f32.size() / 4;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = load_unaligned<std::uint16_t>(bf16.data() + 2 * i);
    store_unaligned(f32.data() + 4 * i, bits << 16);
  }
}

}  // namespace weightfs::codec
