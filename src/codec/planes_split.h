// Splitting and merging of floats, for whatever vectors the including file is compiled for: the
// compiler makes of a 64-byte vector as many registers as it takes. Everything has internal
// linkage, so that each instruction set gets its own.
#pragma once

#include "plane_kernels.h"
#include "vectors.h"

namespace weightfs::codec {
namespace {

// A plane's byte from an element, and what of an element a plane's byte makes.
//
// A format says for each plane how a word shifted right by `kShift` and masked by kMask becomes its
// byte: Field<shift, mask> moves the bits `mask` of the byte to and from `shift` higher in the
// word.
template <int kShift, unsigned kMask>
struct Field {
  template <class Words>
  [[gnu::always_inline]] static Words byte_of(const Words& word) {
    constexpr auto kBits = static_cast<typename Words::Word>(kMask);
    if constexpr (kShift >= 0) return (word >> kShift) & kBits;
    if constexpr (kShift < 0) return (word << -kShift) & kBits;
  }
  template <class Words>
  [[gnu::always_inline]] static Words word_of(const Words& byte) {
    constexpr auto kBits = static_cast<typename Words::Word>(kMask);
    if constexpr (kShift >= 0) return (byte & kBits) << kShift;
    if constexpr (kShift < 0) return (byte & kBits) >> -kShift;
  }
};

// A plane's byte, made of several fields.
template <class... Fields>
struct Plane {
  template <class Words>
  [[gnu::always_inline]] static Words byte_of(const Words& word) {
    return (Fields::byte_of(word) | ...);
  }
  template <class Words>
  [[gnu::always_inline]] static Words word_of(const Words& byte) {
    return (Fields::word_of(byte) | ...);
  }
};

// A float format: the vector of its words, and its planes in order.
template <class Words, class... Planes>
struct Format {
  using Word = typename Words::Word;
  static constexpr std::size_t kWordBytes = sizeof(Word);

  // One group: `kWordBytes` vectors of words, whose bytes go to neighbouring bytes of each plane.
  [[gnu::always_inline]] static void split_group(const std::byte* elements,
                                                 std::byte* const* planes, std::size_t offset) {
    Words words[kWordBytes];
    for (std::size_t i = 0; i < kWordBytes; ++i) {
      words[i] = Words::load(elements + 64 * i);
    }
    std::size_t plane = 0;
    (join<Planes>(words).store(planes[plane++] + offset), ...);
  }
  [[gnu::always_inline]] static void merge_group(const std::byte* const* planes, std::size_t offset,
                                                 std::byte* elements) {
    Words words[kWordBytes];
    for (Words& word : words) word = Words::all(0);
    std::size_t plane = 0;
    (add<Planes>(Words::load(planes[plane++] + offset), words), ...);
    for (std::size_t i = 0; i < kWordBytes; ++i) words[i].store(elements + 64 * i);
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
  [[gnu::always_inline]] static Words join(const Words* words) {
    Words joined = OnePlane::byte_of(words[0]);
    for (std::size_t i = 1; i < kWordBytes; ++i) {
      joined = joined | OnePlane::byte_of(words[i]) << static_cast<int>(8 * i);
    }
    return joined;
  }
  template <class OnePlane>
  [[gnu::always_inline]] static void add(const Words& bytes, Words* words) {
    for (std::size_t i = 0; i < kWordBytes; ++i) {
      const Words byte = (bytes >> static_cast<int>(8 * i)) & Word{0xFF};
      words[i] = words[i] | OnePlane::word_of(byte);
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
  Vector64 any = Vector64::all(0);
  Vector64 all = Vector64::all(~std::uint64_t{0});
  for (std::size_t i = 0; i < count; i += 64) {
    const Vector64 bytes = Vector64::load(plane + i);
    any = any | bytes;
    all = all & bytes;
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
  for (std::size_t group = 0; group < count; group += kSumGroup) {
    Vector16 sum = Vector16::all(0);
    for (std::size_t i = group; i < group + kSumGroup && i < count; i += 64) {
      const Vector8 symbol = smaller(larger(Vector8::load(symbols + i), low), high);
      const Vector16 pair = (symbol - low).as<std::uint16_t>();
      sum = sum + (pair & std::uint16_t{0xFF}) + (pair >> 8);
    }
    unsigned total = 0;
    for (unsigned i = 0; i < 32; ++i) total += sum[i];
    *sums++ = static_cast<std::uint16_t>(total);
  }
}

}  // namespace
}  // namespace weightfs::codec
