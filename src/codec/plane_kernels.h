// The inner loops that take floats apart into byte planes and put them together again, one
// implementation an instruction set, all giving the same bytes.
//
// Elements come in groups of 64. A group of elements of E bytes fills 64 bytes of each plane,
// element i at position E * (i % (64 / E)) + i / (64 / E): so that lanes of vectors never cross.
//
// As rans_kernels.h says: kernels check nothing, and use nothing of the standard library but
// memcpy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "isa.h"

namespace weightfs::codec {

constexpr std::size_t kPlaneGroup = 64;
constexpr std::size_t kMaxPlanes = 8;
constexpr std::size_t kSumGroup = 128;

// What the planes of a float are (s sign, e exponent, m mantissa bit, highest first):
//   bf16       e7..e0    | s m6..m0
//   f16        0 e4..e0 m9 m8 | 0 0 0 0 0 0 0 s | m7..m0
//   f32        e7..e0    | s m22..m16 | m15..m8 | m7..m0
//   f64        e7..e0    | s e10 e9 e8 m51..m48 | m47..m40 | ... | m7..m0
//   f8_e4m3    0 0 0 e3..e0 m2 | 0 0 0 0 0 s m1 m0
//   f8_e5m2    0 e4..e0 m1 m0  | 0 0 0 0 0 0 0 s
//   bf16_fine  e6..e0 m6  | s e7 m5..m0
//   f32_fine   e6..e0 m22 | s e7 m21..m16 | m15..m8 | m7..m0
// The fine ones code the highest mantissa bit with the exponent, which makes them smaller where e7
// is the same in all elements. Persisted: numbers are never changed or reused.
enum class FloatKind : std::uint8_t {
  bf16 = 0,
  f16 = 1,
  f32 = 2,
  f64 = 3,
  f8_e4m3 = 4,
  f8_e5m2 = 5,
  bf16_fine = 6,
  f32_fine = 7,
};
constexpr std::size_t kFloatKinds = 8;

// Which bits any byte of a plane has, and which all have.
struct PlaneBits {
  std::uint8_t any;
  std::uint8_t all;
};

// A kernel that stops early when what it reads from runs out returns where it stands.
struct PlaneKernels {
  void (*split[kFloatKinds])(const std::byte* elements, std::size_t groups,
                             std::byte* const* planes);
  void (*merge[kFloatKinds])(const std::byte* const* planes, std::size_t groups,
                             std::byte* elements);
  // Over `count` bytes, a multiple of 64.
  PlaneBits (*scan)(const std::byte* plane, std::size_t count);
  // The bits of `mask` of each byte, packed: 8 bytes become popcount(mask) bytes, the first byte's
  // bits lowest. `count` is a multiple of 8; 8 bytes behind `packed`'s end are written (pack) or
  // read.
  void (*pack)(const std::byte* plane, std::size_t count, std::uint8_t mask, std::byte* packed);
  void (*unpack)(const std::byte* packed, std::size_t count, std::uint8_t mask, std::uint8_t fixed,
                 std::byte* plane);
  // One level of a cascade (cascade.h), `count` a multiple of 64: writes 16 bytes of codes for each
  // 64 symbols and appends the symbols without a code to `next`, of which 64 bytes more may be
  // written. Returns the end of `next`.
  std::byte* (*reduce)(const std::byte* symbols, std::size_t count, const std::uint8_t* coded,
                       std::byte* codes, std::byte* next);
  // The reverse. 64 bytes behind `next_end` are readable; stops beyond `next_end`. Returns where it
  // stands in `next`.
  const std::byte* (*expand)(const std::byte* codes, std::size_t count, const std::uint8_t* coded,
                             const std::byte* next, const std::byte* next_end, std::byte* symbols);
  // Elements of 1, 2, 4 and 8 bytes, `count` a multiple of 64: one bit of `mask` for each that is
  // not zero, low bits first, and these elements to `kept`, behind which 64 bytes may be written.
  // Returns the end of `kept`.
  std::byte* (*keep_nonzero[4])(const std::byte* elements, std::size_t count, std::byte* mask,
                                std::byte* kept);
  // The reverse; `kept` holds as many elements as the mask has bits, and 64 readable bytes more.
  void (*spread_nonzero[4])(const std::byte* mask, std::size_t count, const std::byte* kept,
                            std::byte* elements);
  // The sums of groups of kSumGroup symbols, each clamped to [low, high] and counted from low. The
  // last group may be shorter; `count` is a multiple of 64.
  void (*sum_groups)(const std::byte* symbols, std::size_t count, std::uint8_t low,
                     std::uint8_t high, std::uint16_t* sums);
};

const PlaneKernels& plane_kernels(Isa isa);

// One for each file planes_<isa>.cpp.
extern const PlaneKernels kPlanesScalar;
extern const PlaneKernels kPlanesAvx2;
extern const PlaneKernels kPlanesAvx512;

}  // namespace weightfs::codec
