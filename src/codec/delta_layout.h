// How groups of floats lie in vectors of 64 bytes, for the kernels of deltas (delta_kernels.h has
// the formulas), for whatever instructions the including file is compiled for. What GCC's vectors
// can't say, `Cpu` does:
//     Table64, Table128             tables of bytes, made from a pointer to them
//     look_up(table, Vector8)       an entry for each byte
//     subtract(Vector8, Vector8)    saturated at zero
//     at_least(Vector8, unsigned)   a bit for each byte, as do
//     equal_to(Vector8, unsigned)
//     BitPlanes(Vector8)            of_bit(i): that of all bytes, a bit each
//     OddPlanes(Vector8)            of_bit(i): where a byte modulo 8 is more than i
//     PlaneWords                    as_bytes(n): of of_bit[0..n - 1] what BitPlanes took apart
//     pack(Vector8, bits, to)       appends the bytes whose bits are set; may write 64
//     unpack(bits, from)            bytes in turn where bits are set, else zero; may read 64
//     gather_bits, scatter_bits     pext and pdep
//     count_bits
//     list_values<E>(bits, n, to)   appends n + each element whose place's bit is set, of values of
//                                   E bytes; may write 64
//     shift_left, shift_right       words by as many counts
//     differ(a, b, bytes)           whether memory differs, `bytes` a multiple of 128
#pragma once

#include <type_traits>

#include "delta_kernels.h"
#include "vectors.h"

namespace weightfs::codec {
namespace {

template <class Cpu, class Word, unsigned kMantissaBits>
struct DeltaLayout {
  using Words = Vector<Word>;
  static constexpr std::size_t kValueBytes = sizeof(Word);
  static constexpr std::size_t kGroupBytes = kDeltaGroup * kValueBytes;
  static constexpr unsigned kBits = 8 * kValueBytes;
  static constexpr Word kSign = static_cast<Word>(Word{1} << (kBits - 1));
  static constexpr Word kMagnitude = static_cast<Word>(kSign - 1);
  static constexpr Word kMantissa = static_cast<Word>((Word{1} << kMantissaBits) - 1);
  static constexpr bool kIsBf16 = kBits == 16 && kMantissaBits == 7;
  // Exponents fit into a byte.
  static constexpr bool kNarrow = kBits - 1 - kMantissaBits <= 8;

  static constexpr unsigned kMostLowBytes = (kMantissaBits + 1) / 8;

  struct Group {
    Words of[kValueBytes];
  };

  [[gnu::always_inline]] static Group load(const std::byte* values, std::size_t group) {
    Group x;
    for (std::size_t i = 0; i < kValueBytes; ++i) {
      x.of[i] = Words::load(values + group * kGroupBytes + 64 * i);
    }
    return x;
  }
  // Byte i of each word of one vector is the word of vector i: words must be less than 256.
  [[gnu::always_inline]] static Vector8 weave(const Group& x) {
    Words woven = x.of[0];
    for (std::size_t i = 1; i < kValueBytes; ++i) {
      woven = woven | x.of[i] << static_cast<int>(8 * i);
    }
    return woven.template as<std::uint8_t>();
  }
  // The words of vector i.
  [[gnu::always_inline]] static Words unweave(Vector8 bytes, std::size_t i) {
    const Words words = bytes.template as<Word>() >> static_cast<int>(8 * i);
    return i + 1 == kValueBytes ? words : words & Word{0xFF};
  }
  // All bits set in negative words.
  [[gnu::always_inline]] static Words sign_mask(Words x) {
    using Signed = std::make_signed_t<Word>;
    return (x.template as<Signed>() >> static_cast<int>(kBits - 1)).template as<Word>();
  }
  [[gnu::always_inline]] static Words exponent(Words x) {
    return (x & kMagnitude) >> static_cast<int>(kMantissaBits);
  }
  [[gnu::always_inline]] static Vector8 exponents(const Group& x) {
    if constexpr (kIsBf16) {
      return ((x.of[0] >> 7 & Word{0xFF}) | (x.of[1] << 1 & Word{0xFF00}))
          .template as<std::uint8_t>();
    }
    Group e;
    for (std::size_t i = 0; i < kValueBytes; ++i) e.of[i] = exponent(x.of[i]);
    return weave(e);
  }

  struct Plan {
    typename Cpu::Table64 by_level;
    Word top_level;
    Word top_exponent;

    [[gnu::always_inline]] explicit Plan(const DeltaTables& tables)
        : by_level(tables.plan), top_level(tables.top_level), top_exponent(tables.top_exponent) {}

    // The entries for the places of a group of the base.
    [[gnu::always_inline]] Vector8 entries(const Group& base) const {
      if constexpr (kNarrow) {
        const Vector8 top = Vector8::all(static_cast<std::uint8_t>(top_level));
        const Vector8 levels = Cpu::subtract(top, exponents(base));
        return Cpu::look_up(by_level, smaller<std::uint8_t>(levels, kDeltaLevels - 1));
      } else {
        Group levels;
        for (std::size_t i = 0; i < kValueBytes; ++i) {
          const Words above =
              larger<Word>(Words::all(top_level) - exponent(base.of[i]) + Word{2048}, 2048);
          levels.of[i] = smaller<Word>(above - Word{2048}, kDeltaLevels - 1);
        }
        return Cpu::look_up(by_level, weave(levels));
      }
    }
  };

  [[gnu::always_inline]] static Vector8 low_bits_of(Vector8 entries) {
    return entries & std::uint8_t{kDeltaLowBitsMask};
  }
  // The low bits of words that are not stored as bytes, moved to the bottom; and back.
  [[gnu::always_inline]] static Words above_bytes(Words low, Words k) {
    // Of bf16 k is 8 at most, and then no odd bits are looked at.
    if constexpr (kIsBf16) return low & Word{0xFF};
    return Cpu::shift_right(low, k & Word{0x38});
  }
  [[gnu::always_inline]] static Words put_above_bytes(Words odd, Words k) {
    if constexpr (kIsBf16) return odd;
    return Cpu::shift_left(odd, k & Word{0x38});
  }
};

}  // namespace
}  // namespace weightfs::codec
