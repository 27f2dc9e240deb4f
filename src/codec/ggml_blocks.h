// ggml's reference quantization of rows to Q8_0 and Q4_0 (ggml-quants.c: quantize_row_q8_0_ref,
// quantize_row_q4_0_ref; gguf-py's quants.py does the same by NumPy), for whatever instructions the
// including file is compiled for, without fused operations.
//
// A block is 32 values and one scale, an IEEE half; the codes are made with the scale before it is
// rounded. Values that ggml never meets (NaN, infinite, scales whose reciprocal overflows) give
// zero codes here: what differs then is coded as any other difference. What GCC's vectors can't
// say, `Cpu` does, of a register of 32-bit lanes:
//     largest(Ints)                  the largest lane
//     negative_lanes(Ints)           a bit for each lane, as does
//     equal_lanes(Ints, int32)
//     widen_halves(from, Floats&)    a register of IEEE halves, by derivation 5
//     codes_of_4_bits(Floats, float) each value times the factor plus 8.5, calculated in doubles
//     and
//                                    rounded to a single
//     put_bytes(Ints, to)            the low byte of each lane
#pragma once

#include "ggml_kernels.h"
#include "half_floats.h"
#include "vectors.h"

namespace weightfs::codec {
namespace {

using Floats = Vector<float>::Register;
using Bits = Vector<std::uint32_t>::Register;
using Ints = Vector<std::int32_t>::Register;
constexpr std::size_t kLanes = Vector<float>::kPerRegister;
constexpr std::size_t kGgmlRegisters = kGgmlValues / kLanes;

constexpr std::int32_t kGgmlMagnitude = 0x7FFFFFFF;

struct GgmlValues {
  Floats of[kGgmlRegisters];
};

// Formats of values, and how a register of them is loaded.
struct FromF32 {
  static constexpr std::size_t kBytes = 4;
  [[gnu::always_inline]] static void load(const std::byte* values, Floats& loaded) {
    std::memcpy(&loaded, values, sizeof loaded);
  }
};
typedef std::uint16_t HalfWords __attribute__((vector_size(2 * kLanes)));
[[gnu::always_inline]] inline void load_words(const std::byte* values, Bits& words) {
  HalfWords loaded;
  std::memcpy(&loaded, values, sizeof loaded);
  words = __builtin_convertvector(loaded, Bits);
}
struct FromBf16 {
  static constexpr std::size_t kBytes = 2;
  [[gnu::always_inline]] static void load(const std::byte* values, Floats& loaded) {
    Bits words;
    load_words(values, words);
    loaded = (Floats)(words << 16);
  }
};
template <class Cpu>
struct FromF16 {
  static constexpr std::size_t kBytes = 2;
  [[gnu::always_inline]] static void load(const std::byte* values, Floats& loaded) {
    Cpu::widen_halves(values, loaded);
  }
};
// For `Cpu` without an instruction for it.
[[gnu::always_inline]] inline void widen_halves_by_bits(const std::byte* values, Floats& loaded) {
  Bits words;
  load_words(values, words);
  loaded = (Floats)single_of<Floats, Bits>(words);
}

[[gnu::always_inline]] inline void put_scale(float scale, std::byte* block) {
  const auto half =
      static_cast<std::uint16_t>(half_of<float>(__builtin_bit_cast(std::uint32_t, scale)));
  std::memcpy(block, &half, sizeof half);
}

[[gnu::always_inline]] inline float reciprocal(float scale) {
  return scale != 0 ? 1 / scale : 0;
}

// Of the bits without sign, which order as magnitudes do: a NaN is the largest.
template <class Cpu>
[[gnu::always_inline]] inline std::int32_t largest_magnitude(const GgmlValues& values) {
  Ints largest{};
#pragma GCC unroll 8
  for (const Floats& lanes : values.of) {
    const Ints magnitudes = (Ints)lanes & kGgmlMagnitude;
    largest = magnitudes > largest ? magnitudes : largest;
  }
  return Cpu::largest(largest);
}

// To the nearest integer, halves away from zero; zero beyond 127.5.
[[gnu::always_inline]] inline void code_of_8_bits(const Floats& scaled, Ints& codes) {
  constexpr float kBeyond = 127.5F;
  const Floats magnitudes = (Floats)((Ints)scaled & kGgmlMagnitude);
  const Floats code = magnitudes <= kBeyond ? scaled : Floats{};
  const Ints whole = __builtin_convertvector(code, Ints);
  const Floats rest = code - __builtin_convertvector(whole, Floats);  // exact
  // Comparisons give -1 where they hold.
  codes = whole - (rest >= 0.5F) + (rest <= -0.5F);
}

template <class Cpu>
struct ToQ8 {
  static constexpr std::size_t kBlockBytes = kQ8BlockBytes;
  [[gnu::always_inline]] static void quantize(const GgmlValues& values, std::byte* block) {
    constexpr float kLargestCode = 127;
    const auto largest = __builtin_bit_cast(float, largest_magnitude<Cpu>(values));
    const float scale = largest / kLargestCode;
    const float factor = reciprocal(scale);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGgmlRegisters; ++i) {
      Ints codes;
      code_of_8_bits(values.of[i] * factor, codes);
      Cpu::put_bytes(codes, block + kGgmlScaleBytes + i * kLanes);
    }
    put_scale(scale, block);
  }
};

template <class Cpu>
struct ToQ4 {
  static constexpr std::size_t kBlockBytes = kQ4BlockBytes;

  // The largest value with its sign, which zeros and NaNs don't have here; the first of several.
  [[gnu::always_inline]] static float largest_value(const GgmlValues& values) {
    const std::int32_t magnitude = largest_magnitude<Cpu>(values);
    std::uint32_t is_largest = 0;
    std::uint32_t is_negative = 0;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGgmlRegisters; ++i) {
      const Ints bits = (Ints)values.of[i];
      is_largest |= Cpu::equal_lanes(bits & kGgmlMagnitude, magnitude) << (i * kLanes);
      is_negative |= Cpu::negative_lanes(bits) << (i * kLanes);
    }
    const bool has_sign = magnitude > 0 && static_cast<std::uint32_t>(magnitude) <= kSingleInfinity;
    const std::uint32_t first = is_largest & (0 - is_largest);
    const bool negative = has_sign && (is_negative & first) != 0;
    const auto unsigned_magnitude = static_cast<std::uint32_t>(magnitude);
    return __builtin_bit_cast(float,
                              negative ? unsigned_magnitude | kSingleSign : unsigned_magnitude);
  }

  [[gnu::always_inline]] static void codes(const Floats& values, float factor, Ints& codes) {
    const Floats shifted = Cpu::codes_of_4_bits(values, factor);
    const Floats code = ((shifted >= 0.0F) & (shifted < 256.0F)) ? shifted : Floats{};
    const Ints whole = __builtin_convertvector(code, Ints);
    codes = whole < 15 ? whole : Ints{} + 15;
  }

  [[gnu::always_inline]] static void quantize(const GgmlValues& values, std::byte* block) {
    const float scale = largest_value(values) * -0.125F;  // as by -8, exactly
    const float factor = reciprocal(scale);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGgmlRegisters / 2; ++i) {
      Ints low;
      Ints high;
      codes(values.of[i], factor, low);
      codes(values.of[i + kGgmlRegisters / 2], factor, high);
      Cpu::put_bytes(low | high << 4, block + kGgmlScaleBytes + i * kLanes);
    }
    put_scale(scale, block);
  }
};

template <class From, class To>
void quantize(const std::byte* values, std::byte* target, std::size_t blocks) {
  for (std::size_t block = 0; block < blocks; ++block) {
    GgmlValues loaded;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGgmlRegisters; ++i) {
      From::load(values + i * kLanes * From::kBytes, loaded.of[i]);
    }
    To::quantize(loaded, target);
    values += kGgmlValues * From::kBytes;
    target += To::kBlockBytes;
  }
}

template <class Cpu, class To>
constexpr GgmlQuantizations quantizations() {
  return {.of_f32 = quantize<FromF32, To>,
          .of_bf16 = quantize<FromBf16, To>,
          .of_f16 = quantize<FromF16<Cpu>, To>};
}
template <class Cpu>
constexpr GgmlKernels ggml_kernels_of() {
  return {.to_q8_0 = quantizations<Cpu, ToQ8<Cpu>>(), .to_q4_0 = quantizations<Cpu, ToQ4<Cpu>>()};
}

}  // namespace
}  // namespace weightfs::codec
