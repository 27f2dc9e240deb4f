// Packing of bits by BMI2's pext and pdep, which every CPU with AVX2 has.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "plane_kernels.h"

namespace weightfs::codec {
namespace {

constexpr std::uint64_t kEveryByte = 0x0101010101010101;

inline void pack_words(const std::byte* plane, std::size_t count, std::uint8_t mask,
                       std::byte* packed) {
  const int width = __builtin_popcount(mask);
  const std::uint64_t masks = mask * kEveryByte;
  for (std::size_t i = 0; i < count; i += 8, packed += width) {
    std::uint64_t word;
    std::memcpy(&word, plane + i, sizeof word);
    word = _pext_u64(word, masks);
    std::memcpy(packed, &word, sizeof word);
  }
}

inline void unpack_words(const std::byte* packed, std::size_t count, std::uint8_t mask,
                         std::uint8_t fixed, std::byte* plane) {
  const int width = __builtin_popcount(mask);
  const std::uint64_t masks = mask * kEveryByte;
  const std::uint64_t fixed_bits = fixed * kEveryByte;
  for (std::size_t i = 0; i < count; i += 8, packed += width) {
    std::uint64_t word;
    std::memcpy(&word, packed, sizeof word);
    word = _pdep_u64(word, masks) | fixed_bits;
    std::memcpy(plane + i, &word, sizeof word);
  }
}

}  // namespace
}  // namespace weightfs::codec
