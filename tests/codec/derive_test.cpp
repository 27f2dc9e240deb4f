// Casts against definitions that share nothing with them.
#include "cast.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <set>

namespace weightfs::codec {
namespace {

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
