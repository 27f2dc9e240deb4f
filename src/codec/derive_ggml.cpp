// ggml's reference quantization of rows to Q8_0 and Q4_0 (ggml-quants.c: quantize_row_q8_0_ref,
// quantize_row_q4_0_ref; gguf-py's quants.py does the same by NumPy).
//
// A block is 32 values and one scale, an IEEE half; the codes are made with the scale before it is
// rounded. Values that ggml never meets (NaN, infinite, scales whose reciprocal overflows) give
// zero codes here: what differs then is coded as any other difference.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "derive.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kValues = 32;
constexpr std::size_t kScaleBytes = 2;
using Values = std::array<float, kValues>;

void store_scale(float scale, MutableByteSpan block) {
  round_to_f16(std::as_bytes(std::span(&scale, 1)), block.first(kScaleBytes));
}

float reciprocal(float scale) {
  return scale != 0 ? 1 / scale : 0;
}

// Of the bits without sign, which order as magnitudes do: a NaN is the largest.
float largest_magnitude(const Values& values) {
  std::int32_t largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::bit_cast<std::int32_t>(value) & 0x7FFFFFFF);
  }
  return std::bit_cast<float>(largest);
}

void quantize_q8_0(const Values& values, MutableByteSpan block) {
  constexpr float kLargestCode = 127;
  const float scale = largest_magnitude(values) / kLargestCode;
  store_scale(scale, block);
  const float factor = reciprocal(scale);
  for (std::size_t i = 0; i < kValues; ++i) {
    const float scaled = values[i] * factor;
    const float code = std::abs(scaled) <= kLargestCode + 0.5F ? scaled : 0;
    const auto whole = static_cast<std::int32_t>(code);
    const float rest = code - static_cast<float>(whole);  // exact; halves go away from zero
    const std::int32_t rounded = whole + (rest >= 0.5F ? 1 : 0) - (rest <= -0.5F ? 1 : 0);
    block[kScaleBytes + i] = static_cast<std::byte>(rounded);
  }
}

// The product and the sum are rounded once, as a fused multiplication and addition does: gguf-py's
// way, and that of ggml where compilers fuse.
std::int32_t code_q4_0(float value, float factor) {
  const double exact = static_cast<double>(value) * static_cast<double>(factor) + 8.5;
  const auto shifted = static_cast<float>(exact);
  const float code = shifted >= 0 && shifted < 256 ? shifted : 0;
  return std::min(static_cast<std::int32_t>(code), 15);
}

void quantize_q4_0(const Values& values, MutableByteSpan block) {
  // With its sign, which zeros don't have here; the first of several.
  const float magnitude = largest_magnitude(values);
  const auto largest =
      std::ranges::find_if(values, [&](float value) { return std::abs(value) == magnitude; });
  const float scale = (largest == values.end() || magnitude == 0 ? magnitude : *largest) / -8;
  store_scale(scale, block);
  const float factor = reciprocal(scale);
  for (std::size_t i = 0; i < kValues / 2; ++i) {
    const std::int32_t low = code_q4_0(values[i], factor);
    const std::int32_t high = code_q4_0(values[i + kValues / 2], factor);
    block[kScaleBytes + i] = static_cast<std::byte>(low | high << 4);
  }
}

template <auto kQuantize, std::size_t kCodeBytes, auto kWiden>
void quantize(ByteSpan from, MutableByteSpan to, std::size_t element_bytes) {
  const std::size_t source_bytes_of_block = kValues * element_bytes;
  Values values;
  for (std::size_t block = 0; block < to.size() / (kScaleBytes + kCodeBytes); ++block) {
    kWiden(from.subspan(block * source_bytes_of_block, source_bytes_of_block),
           std::as_writable_bytes(std::span(values)));
    kQuantize(values, to.subspan(block * (kScaleBytes + kCodeBytes), kScaleBytes + kCodeBytes));
  }
}

void keep(ByteSpan from, MutableByteSpan to) {
  std::copy(from.begin(), from.end(), to.begin());
}

}  // namespace

float dequantized(Dtype dtype, ByteSpan block, std::size_t index) {
  float scale = 0;
  widen_f16(block.first(kScaleBytes), std::as_writable_bytes(std::span(&scale, 1)));
  const ByteSpan codes = block.subspan(kScaleBytes);
  if (dtype == Dtype::q8_0) {
    return scale * static_cast<float>(std::to_integer<std::int8_t>(codes[index]));
  }
  const auto both = std::to_integer<std::int32_t>(codes[index % (kValues / 2)]);
  return scale * static_cast<float>((index < kValues / 2 ? both & 15 : both >> 4) - 8);
}

void quantize_f32_to_q8_0(ByteSpan f32, MutableByteSpan q8_0) {
  quantize<quantize_q8_0, kValues, keep>(f32, q8_0, 4);
}
void quantize_bf16_to_q8_0(ByteSpan bf16, MutableByteSpan q8_0) {
  quantize<quantize_q8_0, kValues, widen_bf16>(bf16, q8_0, 2);
}
void quantize_f16_to_q8_0(ByteSpan f16, MutableByteSpan q8_0) {
  quantize<quantize_q8_0, kValues, widen_f16>(f16, q8_0, 2);
}
void quantize_f32_to_q4_0(ByteSpan f32, MutableByteSpan q4_0) {
  quantize<quantize_q4_0, kValues / 2, keep>(f32, q4_0, 4);
}
void quantize_bf16_to_q4_0(ByteSpan bf16, MutableByteSpan q4_0) {
  quantize<quantize_q4_0, kValues / 2, widen_bf16>(bf16, q4_0, 2);
}
void quantize_f16_to_q4_0(ByteSpan f16, MutableByteSpan q4_0) {
  quantize<quantize_q4_0, kValues / 2, widen_f16>(f16, q4_0, 2);
}

}  // namespace weightfs::codec
