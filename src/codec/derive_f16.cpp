// Loops that compilers make vectors of.
#include "derive.h"
#include "half_floats.h"

namespace weightfs::codec {

void round_to_f16(ByteSpan f32, MutableByteSpan f16) {
  const std::size_t count = f16.size() / 2;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = load_unaligned<std::uint32_t>(f32.data() + 4 * i);
    store_unaligned(f16.data() + 2 * i, static_cast<std::uint16_t>(half_of<float>(bits)));
  }
}

void widen_f16(ByteSpan f16, MutableByteSpan f32) {
  const std::size_t count = f32.size() / 4;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = load_unaligned<std::uint16_t>(f16.data() + 2 * i);
    store_unaligned(f32.data() + 4 * i, single_of<float>(bits));
  }
}

}  // namespace weightfs::codec
