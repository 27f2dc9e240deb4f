#include "delta_codec.h"

#include <gtest/gtest.h>

#include <random>

namespace weightfs::codec {
namespace {

constexpr std::size_t kElements = 32768;

ByteVector make_weights(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.02F);
  ByteVector raw(2 * kElements);
  for (std::size_t i = 0; i < kElements; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(normal(random));
    store_unaligned(&raw[2 * i], static_cast<std::uint16_t>(bits >> 16));
  }
  return raw;
}

// Each value a step or none up.
ByteVector nudge(ByteVector raw) {
  std::mt19937 random(7);
  for (std::size_t i = 0; i < kElements; ++i) {
    const auto bits = load_unaligned<std::uint16_t>(&raw[2 * i]);
    store_unaligned(&raw[2 * i], static_cast<std::uint16_t>(bits + random() % 2));
  }
  return raw;
}

EncodeOptions against(ByteSpan base) {
  return {.dtype = Dtype::bf16, .base = base, .base_dtype = Dtype::bf16};
}

TEST(DeltaCodec, IsChosenWhereTheBaseTellsMuch) {
  const ByteVector base = make_weights(1);
  const ByteVector raw = nudge(base);
  Scratch scratch;
  const EncodedBlock block = encode_block(raw, against(base), scratch);
  EXPECT_EQ(block.tag, CodecTag::delta_bf16);
  EXPECT_TRUE(block.uses_base);
  EXPECT_LT(block.bytes.size(), raw.size() / 8);
  const ByteVector encoded(block.bytes.begin(), block.bytes.end());
  ByteVector decoded(raw.size());
  ASSERT_TRUE(decode_block(block.tag, encoded, base, decoded, scratch));
  EXPECT_EQ(decoded, raw);
}

TEST(DeltaCodec, IsNotChosenWhereTheBaseTellsNothing) {
  const ByteVector base = make_weights(1);
  const ByteVector raw = make_weights(2);
  Scratch scratch;
  const std::size_t alone = encode_block(raw, {.dtype = Dtype::bf16}, scratch).bytes.size();
  const EncodedBlock block = encode_block(raw, against(base), scratch);
  EXPECT_FALSE(block.uses_base);
  EXPECT_EQ(block.bytes.size(), alone);
}

TEST(DeltaCodec, IgnoresABaseOfAnotherLengthOrKind) {
  const ByteVector base = make_weights(1);
  Scratch scratch;
  EncodeOptions options = against(ByteSpan(base).first(base.size() - 2));
  EXPECT_FALSE(encode_block(base, options, scratch).uses_base);
  options = against(base);
  options.base_dtype = Dtype::f16;
  EXPECT_FALSE(encode_block(base, options, scratch).uses_base);
}

TEST(DeltaCodec, RefusesToDecodeWithoutItsBase) {
  const ByteVector base = make_weights(1);
  const ByteVector raw = nudge(base);
  Scratch scratch;
  const EncodedBlock block = encode_block(raw, against(base), scratch);
  const ByteVector encoded(block.bytes.begin(), block.bytes.end());
  ByteVector decoded(raw.size());
  const Status status = decode_block(block.tag, encoded, {}, decoded, scratch);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::corrupt);
}

TEST(DeltaCodec, EstimatesWhatGaussianWeightsTakeAlone) {
  // Their exponent has an entropy of 2.55 bits.
  EXPECT_NEAR(estimate_bits_alone(make_weights(3), 2), 10.55, 0.15);
}

}  // namespace
}  // namespace weightfs::codec
