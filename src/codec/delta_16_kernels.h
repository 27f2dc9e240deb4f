// The inner loops of the 16-bit delta, one implementation an instruction set, all giving the same
// bytes. docs/codecs-delta.md has the stream; this is how values become its parts.
//
// Values come in groups of 64, "woven": place p of a group stands for its element p / 2 + 32 (p %
// 2), so that 16-bit halves of two vectors are one vector of bytes. For a value w and its base v
//     magnitude(v) = v % 32768,  level = top_level - magnitude(v) >> mantissa_bits, clamped to
//     0..63 line(w)      = w with its sign flipped if v is negative; a negative one as -1 -
//     magnitude d            = line(w) - magnitude(v): how many representable values w lies above v
// and by the plan of its level a value is coded as
//     d:        symbol (d >> k) + 15 if that is 0..30, and the k low bits of d
//     directly: symbol (top_exponent - exponent(w)) % 256 if that is 0..30, a byte of sign and the
//     seven upper
//               bits of the mantissa, and the k = mantissa_bits - 7 low bits of w
// in the context that the plan names. Symbols without a code become kDeltaEscape.
//
// Like rans_kernels.h: kernels check nothing but what is said here, and use nothing of the standard
// library but memcpy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "delta_level.h"
#include "isa.h"

namespace weightfs::codec {

constexpr std::size_t kDelta16Group = 64;
constexpr std::size_t kDelta16GroupBytes = 2 * kDelta16Group;
constexpr unsigned kDelta16MaxLowBits = 8;
// What kernels may read and write past the end of the low bits and of the direct bytes: a group's
// low bits, and two words more.
constexpr std::size_t kDelta16Padding = kDelta16MaxLowBits * kDelta16Group / 8 + 16;

// An entry of the plan: bits 0..3 k, bits 5..6 the context, bit 7 whether coded directly.
constexpr unsigned kDelta16LowBitsMask = 15;
constexpr unsigned kDelta16ContextShift = 5;
constexpr unsigned kDelta16Direct = 0x80;

struct alignas(64) Delta16Tables {
  std::uint8_t plan[kDeltaLevels];
  std::uint8_t symbol_map[128];  // by context * 32 + symbol: itself, or the escape; for encoding
  std::uint8_t mantissa_bits;    // 7 or 10
  std::uint8_t top_level;
  std::uint8_t top_exponent;
  std::uint8_t max_low_bits;  // of the whole plan, at most kDelta16MaxLowBits
  bool any_direct;
};

// Sets bit g % 64 of changed[g / 64] for each of `count` groups of which the two differ.
struct Delta16CompareJob {
  const std::byte* values;
  const std::byte* base;
  std::size_t count;
  std::uint64_t* changed;  // (count + 63) / 64 words, overwritten
};

// Codes the groups that `groups` lists. Everything that is written to has room for all of them,
// `bits` and `direct` for kDelta16Padding bytes more.
struct Delta16EncodeJob {
  const std::byte* values;
  const std::byte* base;
  const std::uint32_t* groups;
  std::size_t group_count;
  const Delta16Tables* tables;
  std::byte* symbols;      // advanced, 64 a group
  std::byte* contexts;     // advanced, 64 a group
  std::uint64_t* escaped;  // advanced: a bit for each place of a group whose symbol is the escape
  std::byte* bits;         // the bit stream, whose first `bit_count` bits are written
  std::uint64_t bit_count;
  std::byte* direct;  // advanced
};

// The contexts of the listed groups.
struct Delta16ContextJob {
  const std::byte* base;
  const std::uint32_t* groups;
  std::size_t group_count;
  const Delta16Tables* tables;
  std::byte* contexts;  // 64 a group
};

// Puts the listed groups together, out of low bits and direct bytes behind which kDelta16Padding
// bytes are readable. Stops before a group once more was taken than there is, and perhaps after the
// last one: the caller must look.
struct Delta16DecodeJob {
  std::byte* values;
  const std::byte* base;
  const std::uint32_t* groups;  // advanced
  std::size_t group_count;      // diminished
  const Delta16Tables* tables;
  const std::byte* symbols;  // advanced
  std::uint64_t* escaped;    // advanced, as above; escaped values come out as anything
  const std::byte* bits;
  std::uint64_t bit_count;  // read so far
  std::uint64_t bit_limit;
  const std::byte* direct;  // advanced
  const std::byte* direct_end;
};

struct Delta16Kernels {
  void (*compare)(Delta16CompareJob& job);
  void (*encode)(Delta16EncodeJob& job);
  void (*find_contexts)(Delta16ContextJob& job);
  void (*decode)(Delta16DecodeJob& job);
};

// The kernels for an instruction set that this machine has.
const Delta16Kernels& delta_16_kernels(Isa isa);

// One for each file delta_16_<isa>.cpp.
extern const Delta16Kernels kDelta16Scalar;
extern const Delta16Kernels kDelta16Avx512;

}  // namespace weightfs::codec
