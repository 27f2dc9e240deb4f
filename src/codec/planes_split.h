// Splitting and merging of floats, for whatever vectors the including file is compiled for: the
// compiler makes of a 64-byte vector as many registers as it takes. Everything has internal
// linkage, so that each instruction set gets its own.
#pragma once

#include <cstring>

#include "plane_kernels.h"

namespace weightfs::codec {
namespace {

typedef std::uint8_t Vector8 __attribute__((vector_size(64)));
typedef std::uint16_t Vector16 __attribute__((vector_size(64)));
typedef std::uint32_t Vector32 __attribute__((vector_size(64)));
typedef std::uint64_t Vector64 __attribute__((vector_size(64)));

template <class Vector>
[[gnu::always_inline]] inline Vector load_vector(const std::byte* source) {
  Vector vector;
  std::memcpy(&vector, source, sizeof vector);
  return vector;
}
template <class Vector>
[[gnu::always_inline]] inline void store_vector(std::byte* target, Vector vector) {
  std::memcpy(target, &vector, sizeof vector);
}

// A comparison's result as unsigned bytes.
template <class Compared>
[[gnu::always_inline]] inline Vector8 as_mask(Compared compared) {
  Vector8 bytes;
  static_assert(sizeof bytes == sizeof compared);
  std::memcpy(&bytes, &compared, sizeof bytes);
  return bytes;
}
[[gnu::always_inline]] inline Vector16 as_vector16(Vector8 bytes) {
  Vector16 words;
  std::memcpy(&words, &bytes, sizeof words);
  return words;
}

// A plane's byte from an element, and what of an element a plane's byte makes.
//
// A format says for each plane how a word shifted right by `kShift` and masked by kMask becomes its
// byte: Field<shift, mask> moves the bits `mask` of the byte to and from `shift` higher in the
// word.
template <int kShift, unsigned kMask>
struct Field {
  template <class Vector>
  [[gnu::always_inline]] static Vector byte_of(Vector word) {
    if constexpr (kShift >= 0) return (word >> kShift) & kMask;
    if constexpr (kShift < 0) return (word << -kShift) & kMask;
  }
  template <class Vector>
  [[gnu::always_inline]] static Vector word_of(Vector byte) {
    if constexpr (kShift >= 0) return (byte & kMask) << kShift;
    if constexpr (kShift < 0) return (byte & kMask) >> -kShift;
  }
};

// A plane's byte, made of several fields.
template <class... Fields>
struct Plane {
  template <class Vector>
  [[gnu::always_inline]] static Vector byte_of(Vector word) {
    return (Fields::byte_of(word) | ...);
  }
  template <class Vector>
  [[gnu::always_inline]] static Vector word_of(Vector byte) {
    return (Fields::word_of(byte) | ...);
  }
};

// A float format: the vector of its words, and its planes in order.
template <class Word, class... Planes>
struct Format {
  static constexpr std::size_t kWordBytes = sizeof(Word{}[0]);

  // One group: `kWordBytes` vectors of words, whose bytes go to neighbouring bytes of each plane.
  [[gnu::always_inline]] static void split_group(const std::byte* elements,
                                                 std::byte* const* planes, std::size_t offset) {
    Word words[kWordBytes];
    for (std::size_t i = 0; i < kWordBytes; ++i) {
      words[i] = load_vector<Word>(elements + 64 * i);
    }
    std::size_t plane = 0;
    (store_vector(planes[plane++] + offset, join<Planes>(words)), ...);
  }
  [[gnu::always_inline]] static void merge_group(const std::byte* const* planes, std::size_t offset,
                                                 std::byte* elements) {
    Word words[kWordBytes] = {};
    std::size_t plane = 0;
    (add<Planes>(load_vector<Word>(planes[plane++] + offset), words), ...);
    for (std::size_t i = 0; i < kWordBytes; ++i) store_vector(elements + 64 * i, words[i]);
  }

  static void split(const std::byte* elements, std::size_t groups, std::byte* const* planes) {
    for (std::size_t group = 0; group < groups; ++group) {
      split_group(elements + group * 64 * kWordBytes, planes, group * 64);
    }
  }
  static void merge(const std::byte* const* planes, std::size_t groups, std::byte* elements) {
    for (std::size_t group = 0; group < groups; ++group) {
      merge_group(planes, group * 64, elements + group * 64 * kWordBytes);
    }
  }

 private:
  template <class OnePlane>
  [[gnu::always_inline]] static Word join(const Word* words) {
    Word joined = OnePlane::byte_of(words[0]);
    for (std::size_t i = 1; i < kWordBytes; ++i) {
      joined |= OnePlane::byte_of(words[i]) << static_cast<int>(8 * i);
    }
    return joined;
  }
  template <class OnePlane>
  [[gnu::always_inline]] static void add(Word bytes, Word* words) {
    for (std::size_t i = 0; i < kWordBytes; ++i) {
      words[i] |= OnePlane::word_of((bytes >> static_cast<int>(8 * i)) & 0xFF);
    }
  }
};

template <int kShift>
using ByteAt = Plane<Field<kShift, 0xFF>>;

using Bf16 = Format<Vector16, ByteAt<7>, Plane<Field<8, 0x80>, Field<0, 0x7F>>>;
using F16 = Format<Vector16, Plane<Field<8, 0x7F>>, Plane<Field<15, 0x01>>, ByteAt<0>>;
using F32 =
    Format<Vector32, ByteAt<23>, Plane<Field<24, 0x80>, Field<16, 0x7F>>, ByteAt<8>, ByteAt<0>>;
using F64 = Format<Vector64, ByteAt<52>, Plane<Field<56, 0xF0>, Field<48, 0x0F>>, ByteAt<40>,
                   ByteAt<32>, ByteAt<24>, ByteAt<16>, ByteAt<8>, ByteAt<0>>;
using F8E4M3 = Format<Vector8, Plane<Field<2, 0x1F>>, Plane<Field<5, 0x04>, Field<0, 0x03>>>;
using F8E5M2 = Format<Vector8, Plane<Field<0, 0x7F>>, Plane<Field<7, 0x01>>>;

using Bf16Fine = Format<Vector16, ByteAt<6>, Plane<Field<8, 0xC0>, Field<0, 0x3F>>>;
using F32Fine =
    Format<Vector32, ByteAt<22>, Plane<Field<24, 0xC0>, Field<16, 0x3F>>, ByteAt<8>, ByteAt<0>>;

PlaneBits scan(const std::byte* plane, std::size_t count) {
  Vector64 any = {};
  Vector64 all = ~any;
  for (std::size_t i = 0; i < count; i += 64) {
    const auto bytes = load_vector<Vector64>(plane + i);
    any |= bytes;
    all &= bytes;
  }
  std::uint64_t any_word = 0;
  std::uint64_t all_word = ~std::uint64_t{0};
  for (unsigned i = 0; i < 8; ++i) {
    any_word |= any[i];
    all_word &= all[i];
  }
  for (unsigned shift = 32; shift >= 8; shift /= 2) {
    any_word |= any_word >> shift;
    all_word &= all_word >> shift;
  }
  return {static_cast<std::uint8_t>(any_word), static_cast<std::uint8_t>(all_word)};
}

void sum_groups(const std::byte* symbols, std::size_t count, std::uint8_t low, std::uint8_t high,
                std::uint16_t* sums) {
  for (std::size_t group = 0; group < count; group += 256) {
    Vector16 sum = {};
    for (std::size_t i = group; i < group + 256 && i < count; i += 64) {
      auto symbol = load_vector<Vector8>(symbols + i);
      const auto too_low = as_mask(symbol < low);
      const auto too_high = as_mask(symbol > high);
      symbol = (symbol & ~(too_low | too_high)) | (too_low & low) | (too_high & high);
      const auto pair = as_vector16(symbol - low);
      sum += (pair & 0xFF) + (pair >> 8);
    }
    unsigned total = 0;
    for (unsigned i = 0; i < 32; ++i) total += sum[i];
    *sums++ = static_cast<std::uint16_t>(total);
  }
}

}  // namespace
}  // namespace weightfs::codec
