// Casts against definitions that share nothing with them.
#include "derive.h"
#include "ggml_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <set>

namespace weightfs::codec {
namespace {

using Cast = void (*)(ByteSpan, MutableByteSpan);

template <class To, class From>
std::vector<To> cast(Cast function, const std::vector<From>& from) {
  std::vector<To> to(from.size());
  function(std::as_bytes(std::span(from)), std::as_writable_bytes(std::span(to)));
  return to;
}

double value_of_half(std::uint32_t half) {
  const int exponent = static_cast<int>(half >> 10 & 31);
  const double mantissa = half & 0x3FF;
  if (exponent == 31) return mantissa == 0 ? HUGE_VAL : std::nan("");
  return exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(mantissa + 1024, exponent - 25);
}

// The nearest of the numbers 0, 1, ... `infinity` as `value_of` has them, which ascend; infinity
// stands where the next larger one would. Ties go to the even number.
template <class ValueOf>
std::uint32_t nearest(double value, std::uint32_t infinity, ValueOf value_of) {
  std::uint32_t low = 0;
  std::uint32_t high = infinity;
  while (high - low > 1) {
    const std::uint32_t middle = (low + high) / 2;
    (value_of(middle) <= value ? low : high) = middle;
  }
  const double below = value_of(low);
  const double above = high == infinity ? 2 * below - value_of(low - 1) : value_of(high);
  if (value - below == above - value) return low % 2 == 0 ? low : high;
  return value - below < above - value ? low : high;
}

// Random bits, random values of common exponents, every half and what lies about it and its
// neighbours' middles.
std::vector<std::uint32_t> singles() {
  std::vector<std::uint32_t> bits;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.02F);
  for (int i = 0; i < 50000; ++i) {
    bits.push_back(static_cast<std::uint32_t>(random()));
    bits.push_back(std::bit_cast<std::uint32_t>(normal(random)));
    bits.push_back(std::bit_cast<std::uint32_t>(normal(random) * 0x1p-14F));
  }
  for (std::uint32_t half = 0; half < 0x7C00; ++half) {
    const auto at = std::bit_cast<std::uint32_t>(static_cast<float>(value_of_half(half)));
    const auto middle = std::bit_cast<std::uint32_t>(static_cast<float>(
        (value_of_half(half) + value_of_half(half == 0x7BFF ? half : half + 1)) / 2));
    for (const std::uint32_t centre : {at, middle}) {
      bits.insert(bits.end(), {centre, centre + 1, centre | 0x80000000});
      if (centre > 0) bits.push_back(centre - 1);
    }
  }
  for (const std::uint32_t special :
       {0x477FEFFFU, 0x477FF000U, 0x477FFFFFU, 0x47800000U, 0x7F7FFFFFU, 0x7F7F7FFFU, 0x7F7F8000U,
        0x7F800000U, 0xFF800000U, 0x80000000U}) {
    bits.push_back(special);
  }
  return bits;
}

bool is_nan(std::uint32_t single) {
  return (single & 0x7FFFFFFF) > 0x7F800000;
}

double magnitude_of(std::uint32_t single) {
  return std::abs(static_cast<double>(std::bit_cast<float>(single)));
}

TEST(DeriveF16, IsTheNearest) {
  const std::vector<std::uint32_t> from = singles();
  const auto to = cast<std::uint16_t>(round_to_f16, from);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::uint32_t sign = from[i] >> 16 & 0x8000;
    std::uint32_t expected = 0x7E00;
    if (std::isinf(magnitude_of(from[i])))
      expected = 0x7C00;
    else if (!is_nan(from[i]))
      expected = nearest(magnitude_of(from[i]), 0x7C00, value_of_half);
    ASSERT_EQ(to[i], sign | expected) << std::hex << from[i];
  }
}

TEST(DeriveBf16, IsTheNearest) {
  const auto value_of = [](std::uint32_t bf16) {
    return static_cast<double>(std::bit_cast<float>(bf16 << 16));
  };
  const std::vector<std::uint32_t> from = singles();
  const auto to = cast<std::uint16_t>(round_to_bf16, from);
  const auto truncated = cast<std::uint16_t>(truncate_to_bf16, from);
  for (std::size_t i = 0; i < from.size(); ++i) {
    ASSERT_EQ(truncated[i], from[i] >> 16);
    const std::uint32_t sign = from[i] >> 16 & 0x8000;
    std::uint32_t expected = 0x7FC0;  // without its sign
    if (std::isinf(magnitude_of(from[i])))
      expected = sign | 0x7F80;
    else if (!is_nan(from[i]))
      expected = sign | nearest(magnitude_of(from[i]), 0x7F80, value_of);
    ASSERT_EQ(to[i], expected) << std::hex << from[i];
  }
}

TEST(DeriveF32, WidensEveryValueExactly) {
  std::vector<std::uint16_t> from(65536);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::uint16_t>(i);
  const auto of_bf16 = cast<std::uint32_t>(widen_bf16, from);
  const auto of_f16 = cast<std::uint32_t>(widen_f16, from);
  for (std::uint32_t i = 0; i < from.size(); ++i) {
    ASSERT_EQ(of_bf16[i], i << 16);
    const double value = value_of_half(i & 0x7FFF);
    if (std::isnan(value)) {
      ASSERT_EQ(of_f16[i], (i & 0x8000) << 16 | 0x7FC00000 | (i & 0x3FF) << 13);
    } else {
      ASSERT_EQ(magnitude_of(of_f16[i]), value) << i;
      ASSERT_EQ(of_f16[i] >> 31, i >> 15);
    }
  }
}

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

TEST(Derivations, HaveNumbersOfTheirOwnThatNeverChange) {
  std::set<int> numbers;
  for (const Derivation& derivation : derivations()) {
    EXPECT_TRUE(numbers.insert(derivation.number).second);
    EXPECT_NE(derivation.number, 0);
    EXPECT_EQ(derivation_of(derivation.number), &derivation);
    EXPECT_TRUE(is_derivable(derivation.from, derivation.to));
  }
  EXPECT_EQ(derivation_of(1)->apply, &round_to_bf16);
  EXPECT_EQ(derivation_of(2)->apply, &truncate_to_bf16);
  EXPECT_EQ(derivation_of(3)->apply, &round_to_f16);
  EXPECT_EQ(derivation_of(4)->apply, &widen_bf16);
  EXPECT_EQ(derivation_of(5)->apply, &widen_f16);
  EXPECT_EQ(derivation_of(16)->apply, &quantize_f32_to_q8_0);
  EXPECT_EQ(derivation_of(17)->apply, &quantize_bf16_to_q8_0);
  EXPECT_EQ(derivation_of(18)->apply, &quantize_f16_to_q8_0);
  EXPECT_EQ(derivation_of(19)->apply, &quantize_f32_to_q4_0);
  EXPECT_EQ(derivation_of(20)->apply, &quantize_bf16_to_q4_0);
  EXPECT_EQ(derivation_of(21)->apply, &quantize_f16_to_q4_0);
  EXPECT_EQ(derivation_of(255), nullptr);
  EXPECT_FALSE(is_derivable(Dtype::f32, Dtype::f32));
  EXPECT_EQ(source_bytes(Dtype::f32, Dtype::bf16, 1000), 2000u);
  EXPECT_EQ(source_bytes(Dtype::f16, Dtype::f32, 1000), 500u);
  EXPECT_EQ(source_bytes(Dtype::f32, Dtype::q8_0, 340), 1280u);
}

}  // namespace
}  // namespace weightfs::codec
