// Bytes as planes of their bits, and back, in AVX-512 registers: a product of matrices over GF(2)
// transposes eight bytes. Only for files that are compiled with these instructions.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace weightfs::codec::avx512 {

// For each byte of a vector where it comes from.
struct alignas(64) ByteOrder {
  std::uint8_t from[64];

  [[gnu::always_inline]] __m512i in_register() const { return _mm512_load_si512(from); }
};

// Eight words of which byte 8 w + b becomes byte 8 b + w.
constexpr ByteOrder transposed_words() {
  ByteOrder order{};
  for (unsigned i = 0; i < 64; ++i) order.from[i] = static_cast<std::uint8_t>(i % 8 * 8 + i / 8);
  return order;
}
// The same, and the bytes of each word in reverse.
constexpr ByteOrder transposed_and_reversed_words() {
  ByteOrder order{};
  for (unsigned i = 0; i < 64; ++i) {
    order.from[i] = static_cast<std::uint8_t>((7 - i % 8) * 8 + i / 8);
  }
  return order;
}
// The bytes of each word in reverse, for shuffles within 16 bytes.
constexpr ByteOrder reversed_words() {
  ByteOrder order{};
  for (unsigned i = 0; i < 64; ++i) order.from[i] = static_cast<std::uint8_t>(i % 16 ^ 7);
  return order;
}

inline constexpr ByteOrder kTransposed = transposed_words();
inline constexpr ByteOrder kTransposedAndReversed = transposed_and_reversed_words();
inline constexpr ByteOrder kReversed = reversed_words();

// Bit j of byte i of each word becomes bit 7 - i of its byte j.
[[gnu::always_inline]] inline __m512i transpose_bits(__m512i words) {
  const __m512i single_bits = _mm512_set1_epi64(static_cast<long long>(0x8040201008040201ULL));
  return _mm512_gf2p8affine_epi64_epi8(single_bits, words, 0);
}

// Word j: bit j of each of the 64 bytes.
[[gnu::always_inline]] inline __m512i planes_of_bytes(__m512i bytes) {
  const __m512i words = _mm512_shuffle_epi8(bytes, kReversed.in_register());
  return _mm512_permutexvar_epi8(kTransposed.in_register(), transpose_bits(words));
}
[[gnu::always_inline]] inline __m512i bytes_of_planes(__m512i planes) {
  return transpose_bits(_mm512_permutexvar_epi8(kTransposedAndReversed.in_register(), planes));
}

}  // namespace weightfs::codec::avx512
