// Compressing and expanding of 8 bytes by shuffles from a table, where the CPU has no instruction
// for it. For files that are compiled for AVX2.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace weightfs::codec {
namespace {

// Shuffles of 8 bytes, by a mask of 8 bits.
struct ByteShuffles {
  // The bytes whose bit is set, moved together.
  alignas(64) std::uint8_t compress[256][8];
  // The first bytes, one to each set bit; zero where no bit is set.
  alignas(64) std::uint8_t expand[256][8];

  constexpr ByteShuffles() : compress(), expand() {
    for (unsigned mask = 0; mask < 256; ++mask) {
      std::uint8_t set = 0;
      for (std::uint8_t bit = 0; bit < 8; ++bit) {
        const bool is_set = (mask >> bit & 1) != 0;
        expand[mask][bit] = is_set ? set : std::uint8_t{0x80};
        if (is_set) compress[mask][set++] = bit;
      }
    }
  }
};
constexpr ByteShuffles kShuffles;

inline __m128i load_8_bytes(const void* source) {
  return _mm_loadl_epi64(static_cast<const __m128i*>(source));
}

// Writes those of 8 bytes whose bits are set, 8 at `to`; returns the end of those that count.
[[gnu::always_inline]] inline std::byte* pack_8_bytes(const std::byte* from, unsigned mask,
                                                      std::byte* to) {
  const __m128i bytes =
      _mm_shuffle_epi8(load_8_bytes(from), load_8_bytes(kShuffles.compress[mask]));
  _mm_storel_epi64(static_cast<__m128i*>(static_cast<void*>(to)), bytes);
  return to + _mm_popcnt_u32(mask);
}
// The reverse: reads 8 at `from`, and returns the end of those that were taken.
[[gnu::always_inline]] inline const std::byte* unpack_8_bytes(unsigned mask, const std::byte* from,
                                                              std::byte* to) {
  const __m128i bytes = _mm_shuffle_epi8(load_8_bytes(from), load_8_bytes(kShuffles.expand[mask]));
  _mm_storel_epi64(static_cast<__m128i*>(static_cast<void*>(to)), bytes);
  return from + _mm_popcnt_u32(mask);
}

}  // namespace
}  // namespace weightfs::codec
