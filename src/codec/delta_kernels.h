// The inner loops of float deltas, one implementation an instruction set, all giving the same
// bytes. docs/codecs-delta.md has the stream; this is how values become its parts.
//
// Values of E bytes come in groups of 64, "woven": place p of a group stands for its element
// p / E + 64 / E * (p % E), so that the E bytes of a vector's element are neighbouring places. For
// a value w of M mantissa bits and its base v, modulo 2^(8 E):
//     magnitude(v) = v without its sign;  level = top_level - magnitude(v) >> M, clamped to 0..63
//     line(w)      = w with its sign flipped if v is negative; a negative one as -1 - magnitude
//     d            = line(w) - magnitude(v): how many representable values w lies above v
// The plan of its level gives a value k low bits, and a context of which 3 means directly:
//     d + 15 * 2^k = symbol * 2^k + low bits
//     directly, where k = M + 1: symbol = top_exponent - exponent(w), low bits = mantissa(w) and
//     above it the sign
// Symbols above 30, and those without a code, become kDeltaEscape. Of each group's low bits the
// whole bytes go to one stream, lowest byte of all values first; what is left of k modulo 8 to a
// stream of bits, lowest bit of all values first.
//
// Like rans_kernels.h: kernels check nothing but what is said here, and use nothing of the standard
// library but memcpy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "delta_level.h"
#include "rans_kernels.h"

namespace weightfs::codec {

enum class DeltaFloat : std::uint8_t { bf16, f16, f32, f64 };
constexpr std::size_t kDeltaFloats = 4;

constexpr std::size_t delta_value_bytes(DeltaFloat format) {
  return format == DeltaFloat::f64 ? 8 : (format == DeltaFloat::f32 ? 4 : 2);
}
constexpr unsigned delta_mantissa_bits(DeltaFloat format) {
  constexpr unsigned kBits[kDeltaFloats] = {7, 10, 23, 52};
  return kBits[static_cast<unsigned>(format)];
}

constexpr std::size_t kDeltaGroup = 64;
constexpr std::size_t element_of_place(std::size_t place, std::size_t value_bytes) {
  return place / value_bytes + kDeltaGroup / value_bytes * (place % value_bytes);
}
// What kernels may write past the end of the low bytes or of the low bits, or read: two groups',
// and a vector.
constexpr std::size_t kDeltaPadding = 2 * 6 * kDeltaGroup + 64;

// An entry of the plan: k in bits 0..5, the context in bits 6 and 7.
constexpr unsigned kDeltaLowBitsMask = 63;
constexpr unsigned kDeltaContextShift = 6;
constexpr unsigned kDeltaCodeShift = 1;  // from there to a code's context
constexpr unsigned kDeltaDirect = kDeltaDirectContext << kDeltaContextShift;

struct alignas(64) DeltaTables {
  std::uint8_t plan[kDeltaLevels];
  std::uint8_t code_map[128];  // by context * 32 + symbol: itself, or the escape of the context
  std::uint16_t top_level;
  std::uint16_t top_exponent;
  std::uint8_t most_low_bytes;  // of the whole plan: k / 8
  std::uint8_t most_odd_bits;   // k % 8
  bool any_direct;
};

// Sets bit g % 64 of changed[g / 64] for each of `count` groups of which the two differ.
struct DeltaCompareJob {
  const std::byte* values;
  const std::byte* base;
  std::size_t count;
  std::uint64_t* changed;  // (count + 63) / 64 words, overwritten
};

// Codes the groups that `groups` lists. Everything that is written to has room for all of them,
// `low_bytes` and `low_bits` for kDeltaPadding bytes more.
struct DeltaEncodeJob {
  const std::byte* values;
  const std::byte* base;
  const std::uint32_t* groups;
  std::size_t group_count;
  const DeltaTables* tables;
  std::byte* codes;        // context * 32 + symbol, 64 a group
  std::uint64_t* escaped;  // a bit for each place of a group whose symbol is the escape
  std::byte* low_bytes;    // advanced
  std::byte* low_bits;     // whose first `low_bit_count` bits are written
  std::uint64_t low_bit_count;
};

// The contexts of the listed groups.
struct DeltaContextJob {
  const std::byte* base;
  const std::uint32_t* groups;
  std::size_t group_count;
  const DeltaTables* tables;
  std::byte* contexts;  // 64 a group
};

// Lists the values of groups whose places' bits are set, in the order of places.
struct DeltaEscapesJob {
  const std::uint32_t* groups;
  const std::uint64_t* escaped;
  std::size_t group_count;
  std::uint32_t* values;  // advanced: their numbers in the block. 64 for each group must fit
};

// Puts the listed groups together, out of low bytes and low bits behind which kDeltaPadding bytes
// are readable. Stops before it takes of them more than two groups' beyond the end; the caller must
// look.
struct DeltaDecodeJob {
  std::byte* values;
  const std::byte* base;
  const std::uint32_t* groups;  // advanced
  std::size_t group_count;      // diminished
  const DeltaTables* tables;
  std::uint64_t* escaped;      // advanced, as above; escaped values come out as anything
  const std::byte* low_bytes;  // advanced
  const std::byte* low_bytes_end;
  const std::byte* low_bits;
  std::uint64_t low_bit_count;  // read so far
  std::uint64_t low_bit_limit;
  // Where symbols come from: `symbols`, advanced, if the kernel is `decode`; else the stream of
  // which neither contexts nor symbols are stored, and where decode_coded stops as
  // RansContextDecode does.
  const std::byte* symbols;
  RansContextDecodeJob rans;
};

struct DeltaKernels {
  void (*compare)(DeltaCompareJob& job);
  void (*encode)(DeltaEncodeJob& job);
  void (*find_contexts)(DeltaContextJob& job);
  void (*list_escapes)(DeltaEscapesJob& job);
  void (*decode)(DeltaDecodeJob& job);
  void (*decode_coded)(DeltaDecodeJob& job);  // of 64 or 128 lanes; null where it is no faster
};

// The kernels for an instruction set that this machine has.
const DeltaKernels& delta_kernels(DeltaFloat format, Isa isa);

// One for each file delta_<isa>.cpp, by format.
extern const DeltaKernels kDeltaScalar[kDeltaFloats];
extern const DeltaKernels kDeltaAvx2[kDeltaFloats];
extern const DeltaKernels kDeltaAvx512[kDeltaFloats];

}  // namespace weightfs::codec
