// ggml's quantizations against its reference, and the instruction sets against each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "cast.h"
#include "ggml_kernels.h"

namespace weightfs::codec {
namespace {

// As ggml-quants.c has them, for values that it meets; a scale of zero has codes for zero.
ByteVector reference_q8_0(const std::vector<float>& values) {
  ByteVector blocks;
  for (std::size_t at = 0; at < values.size(); at += 32) {
    float amax = 0;
    for (std::size_t i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(values[at + i]));
    const float d = amax / 127;
    const float id = d != 0 ? 1.0F / d : 0.0F;
    ByteVector block(2);
    round_to_f16(std::as_bytes(std::span(&d, 1)), block);
    for (std::size_t i = 0; i < 32; ++i)
      block.push_back(static_cast<std::byte>(std::lround(values[at + i] * id)));
    blocks.insert(blocks.end(), block.begin(), block.end());
  }
  return blocks;
}

ByteVector reference_q4_0(const std::vector<float>& values) {
  ByteVector blocks;
  for (std::size_t at = 0; at < values.size(); at += 32) {
    float amax = 0;
    float max = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      const float value = values[at + i];
      if (amax >= std::fabs(value)) continue;
      amax = std::fabs(value);
      max = value;
    }
    const float d = max / -8;
    const float id = d != 0 ? 1.0F / d : 0.0F;
    ByteVector block(2);
    round_to_f16(std::as_bytes(std::span(&d, 1)), block);
    const auto code = [&](float value) {
      return std::min(15, static_cast<int>(std::fma(value, id, 8.5F)));
    };
    for (std::size_t i = 0; i < 16; ++i)
      block.push_back(
          static_cast<std::byte>(code(values[at + i]) | code(values[at + i + 16]) << 4));
    blocks.insert(blocks.end(), block.begin(), block.end());
  }
  return blocks;
}

TEST(DeriveGgml, GivesWhatTheReferenceGives) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<float> values(32 * 4000);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = normal(random);
    if (i / 32 % 10 == 3) values[i] = static_cast<float>(static_cast<int>(random() % 255) - 127);
    if (i / 32 % 10 == 4) values[i] = 0;
    if (i / 32 % 10 == 5) values[i] *= 1e-6F;
    if (i / 32 % 10 == 6) values[i] = random() % 2 == 0 ? 0.25F : -0.25F;
  }
  const auto f16 = cast<std::uint16_t>(round_to_f16, values);
  const auto bf16 = cast<std::uint16_t>(round_to_bf16, values);
  const auto of_f16 = cast<float>(widen_f16, f16);
  const auto of_bf16 = cast<float>(widen_bf16, bf16);
  const auto quantized = [](Cast function, ByteSpan from, std::size_t block_bytes) {
    ByteVector to(4000 * block_bytes);
    function(from, to);
    return to;
  };
  const ByteSpan all = std::as_bytes(std::span(values));
  EXPECT_EQ(quantized(quantize_f32_to_q8_0, all, 34), reference_q8_0(values));
  EXPECT_EQ(quantized(quantize_f32_to_q4_0, all, 18), reference_q4_0(values));
  const ByteSpan halves = std::as_bytes(std::span(f16));
  EXPECT_EQ(quantized(quantize_f16_to_q8_0, halves, 34), reference_q8_0(of_f16));
  EXPECT_EQ(quantized(quantize_f16_to_q4_0, halves, 18), reference_q4_0(of_f16));
  const ByteSpan brains = std::as_bytes(std::span(bf16));
  EXPECT_EQ(quantized(quantize_bf16_to_q8_0, brains, 34), reference_q8_0(of_bf16));
  EXPECT_EQ(quantized(quantize_bf16_to_q4_0, brains, 18), reference_q4_0(of_bf16));
}

// Whatever bits a base holds: blocks of random ones, and of values with NaNs, infinities, denormals
// and ties between them.
std::vector<float> values_of_any_kind() {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 0.02F);
  constexpr float kSpecial[] = {NAN, -NAN, INFINITY, -INFINITY, 0.0F, -0.0F, 1e-40F, 3e38F};
  std::vector<float> values(32 * 3000);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t kind = i / 32 % 5;
    values[i] = normal(random);
    if (kind == 1) values[i] = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (kind == 2 && random() % 16 == 0) values[i] = kSpecial[random() % std::size(kSpecial)];
    if (kind == 3) values[i] = static_cast<float>(static_cast<int>(random() % 511) - 255) / 2;
    if (kind == 4) values[i] *= 1e-37F;
  }
  return values;
}

TEST(DeriveGgml, GivesTheSameOnEveryInstructionSet) {
  const std::vector<float> values = values_of_any_kind();
  const auto f16 = cast<std::uint16_t>(round_to_f16, values);
  const auto bf16 = cast<std::uint16_t>(truncate_to_bf16, values);
  const std::size_t blocks = values.size() / kGgmlValues;
  const auto quantized = [&](GgmlQuantize function, ByteSpan from, std::size_t block_bytes) {
    ByteVector to(blocks * block_bytes);
    function(from.data(), to.data(), blocks);
    return to;
  };
  const auto by = [&](const GgmlQuantizations& kernels, std::size_t block_bytes) {
    return std::vector<ByteVector>{
        quantized(kernels.of_f32, std::as_bytes(std::span(values)), block_bytes),
        quantized(kernels.of_bf16, std::as_bytes(std::span(bf16)), block_bytes),
        quantized(kernels.of_f16, std::as_bytes(std::span(f16)), block_bytes)};
  };
  const GgmlKernels& scalar = ggml_kernels(Isa::scalar);
  for (const Isa isa : available_isas()) {
    const GgmlKernels& kernels = ggml_kernels(isa);
    EXPECT_EQ(by(kernels.to_q8_0, kQ8BlockBytes), by(scalar.to_q8_0, kQ8BlockBytes))
        << isa_name(isa);
    EXPECT_EQ(by(kernels.to_q4_0, kQ4BlockBytes), by(scalar.to_q4_0, kQ4BlockBytes))
        << isa_name(isa);
  }
}

// As docs/codecs-derived.md says.
TEST(DeriveGgml, GivesZeroCodesToWhatGgmlNeverMeets) {
  for (const float special : {NAN, INFINITY, 1e-40F}) {
    std::vector<float> values(kGgmlValues, 0.5F * special);
    values[7] = special;
    for (const Isa isa : available_isas()) {
      const ByteSpan from = std::as_bytes(std::span(values));
      ByteVector q8_0(kQ8BlockBytes);
      ByteVector q4_0(kQ4BlockBytes);
      ggml_kernels(isa).to_q8_0.of_f32(from.data(), q8_0.data(), 1);
      ggml_kernels(isa).to_q4_0.of_f32(from.data(), q4_0.data(), 1);
      for (std::size_t i = kGgmlScaleBytes; i < kQ8BlockBytes; ++i) {
        EXPECT_EQ(q8_0[i], std::byte{0}) << special << " " << isa_name(isa);
      }
      const auto scale = load_unaligned<std::uint16_t>(q8_0.data());
      EXPECT_EQ(scale, std::isnan(special) ? 0x7E00 : (std::isinf(special) ? 0x7C00 : 0));
      for (std::size_t i = kGgmlScaleBytes; i < kQ4BlockBytes; ++i) {
        EXPECT_EQ(q4_0[i], std::byte{0}) << special << " " << isa_name(isa);
      }
    }
  }
}

}  // namespace
}  // namespace weightfs::codec
