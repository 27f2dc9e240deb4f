#include "weightfs/codec/codec.h"

#include <gtest/gtest.h>

#include "adversarial_floats.h"

namespace weightfs::codec {
namespace {

using testing::kFloatDtypes;
using testing::kPatterns;
using testing::make_block;
using testing::Pattern;

constexpr Tier kTiers[] = {Tier::fast, Tier::default_tier, Tier::cold};

struct Blob {
  CodecTag tag;
  ByteVector bytes;
};

Blob encode(ByteSpan raw, const EncodeOptions& options) {
  Scratch scratch;
  const EncodedBlock block = encode_block(raw, options, scratch);
  return {block.tag, {block.bytes.begin(), block.bytes.end()}};
}

Status decode(const Blob& blob, MutableByteSpan out) {
  Scratch scratch;
  return decode_block(blob.tag, blob.bytes, {}, out, scratch);
}

void expect_round_trip(const ByteVector& raw, const EncodeOptions& options) {
  const Blob blob = encode(raw, options);
  EXPECT_LE(blob.bytes.size(), raw.size());
  // Memory of its own exact size, so that a sanitizer sees any access beyond.
  ByteVector back(raw.size(), std::byte{0xEE});
  const Status status = decode(blob, back);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(back, raw) << codec_name(blob.tag);
}

class EveryFloat : public ::testing::TestWithParam<Dtype> {};

TEST_P(EveryFloat, ComesBackExactlyWhateverItsBitsAndLength) {
  for (const std::size_t size :
       {1, 2, 3, 63, 64, 127, 128, 129, 500, 511, 512, 513, 1000, 4095, 20000, 33000, 66001}) {
    for (const Pattern pattern : kPatterns) {
      const ByteVector raw = make_block(pattern, GetParam(), size);
      for (const Tier tier : kTiers) {
        for (const bool portable : {false, true}) {
          SCOPED_TRACE(::testing::Message()
                       << size << " bytes, pattern " << static_cast<int>(pattern) << ", tier "
                       << static_cast<int>(tier) << ", portable " << portable);
          expect_round_trip(raw, {.dtype = GetParam(), .tier = tier, .portable = portable});
        }
      }
    }
  }
}

TEST_P(EveryFloat, ComesBackExactlyInBlocksOfTheLargestSize) {
  for (const Pattern pattern : {Pattern::rows, Pattern::sparse, Pattern::special}) {
    SCOPED_TRACE(static_cast<int>(pattern));
    expect_round_trip(make_block(pattern, GetParam(), kMaxBlockBytes - 1), {.dtype = GetParam()});
  }
  expect_round_trip(make_block(Pattern::gaussian, GetParam(), kMaxBlockBytes),
                    {.dtype = GetParam()});
}

TEST_P(EveryFloat, IsRefusedOrDecodedWithoutHarmWhenAnyByteIsDamaged) {
  Scratch scratch;
  for (const Pattern pattern :
       {Pattern::gaussian, Pattern::rows, Pattern::sparse, Pattern::positive}) {
    const ByteVector raw = make_block(pattern, GetParam(), 1500);
    for (const Tier tier : kTiers) {
      const Blob blob = encode(raw, {.dtype = GetParam(), .tier = tier});
      ByteVector out(raw.size());
      for (std::size_t i = 0; i < blob.bytes.size(); ++i) {
        for (const unsigned change : {0x01U, 0x80U, 0xFFU}) {
          Blob damaged = blob;
          damaged.bytes[i] ^= static_cast<std::byte>(change);
          (void)decode_block(damaged.tag, damaged.bytes, {}, out, scratch);
        }
        const ByteVector cut(blob.bytes.begin(),
                             blob.bytes.begin() + static_cast<std::ptrdiff_t>(i));
        EXPECT_FALSE(decode_block(blob.tag, cut, {}, out, scratch))
            << codec_name(blob.tag) << " cut to " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Codec, EveryFloat, ::testing::ValuesIn(kFloatDtypes),
                         [](const auto& suite) { return std::string(dtype_name(suite.param)); });

TEST(Codec, StoresZerosAsNothing) {
  const Blob blob = encode(ByteVector(1000), {.dtype = Dtype::f32});
  EXPECT_EQ(blob.tag, CodecTag::zero);
  EXPECT_TRUE(blob.bytes.empty());
}

TEST(Codec, StoresRandomBytesAsTheyAre) {
  const ByteVector raw = make_block(Pattern::random, Dtype::f64, 100000);
  for (const Dtype dtype : {Dtype::opaque, Dtype::bf16, Dtype::f32}) {
    EXPECT_EQ(encode(raw, {.dtype = dtype}).tag, CodecTag::raw);
  }
}

TEST(Codec, MasksZerosOfPrunedWeights) {
  const ByteVector raw = make_block(Pattern::sparse, Dtype::bf16, 131072);
  const Blob blob = encode(raw, {.dtype = Dtype::bf16});
  EXPECT_EQ(blob.tag, CodecTag::zero_mask);
  // A third of the weights at 11 bits, and a mask of 0.92 bits each.
  EXPECT_LT(blob.bytes.size(), raw.size() * 30 / 100);
}

TEST(Codec, LeavesOutPlanesThatAreConstant) {
  const ByteVector raw = make_block(Pattern::truncated, Dtype::f32, 131072);
  const Blob blob = encode(raw, {.dtype = Dtype::f32});
  EXPECT_EQ(blob.tag, CodecTag::f32);
  EXPECT_LT(blob.bytes.size(), raw.size() * 50 / 100);
}

TEST(Codec, LeavesOutSignsThatAreConstant) {
  const ByteVector signed_weights = make_block(Pattern::gaussian, Dtype::f32, 131072);
  const ByteVector positive_weights = make_block(Pattern::positive, Dtype::f32, 131072);
  const std::size_t bits_saved = 8 * (encode(signed_weights, {.dtype = Dtype::f32}).bytes.size() -
                                      encode(positive_weights, {.dtype = Dtype::f32}).bytes.size());
  EXPECT_GT(bits_saved, 131072 / 4 * 95 / 100);
}

TEST(Codec, FindsRepetitionsThatPlanesDoNotShow) {
  const ByteVector raw = make_block(Pattern::periodic, Dtype::f32, 131072);
  EXPECT_EQ(encode(raw, {.dtype = Dtype::f32}).tag, CodecTag::zstd);
}

TEST(Codec, RefusesATagOfALaterVersion) {
  ByteVector out(10);
  const Status status = decode({static_cast<CodecTag>(255), {}}, out);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::newer_version);
  EXPECT_FALSE(is_known_codec(255));
  EXPECT_TRUE(is_known_codec(static_cast<std::uint8_t>(CodecTag::zero_mask)));
}

TEST(Codec, RefusesABlockThatIsLongerThanAny) {
  ByteVector out(kMaxBlockBytes + 1);
  EXPECT_FALSE(decode({CodecTag::zero, {}}, out));
}

TEST(Codec, RefusesBytesBehindAStream) {
  const ByteVector raw = make_block(Pattern::gaussian, Dtype::bf16, 4096);
  Blob blob = encode(raw, {.dtype = Dtype::bf16});
  blob.bytes.push_back(std::byte{0});
  ByteVector out(raw.size());
  EXPECT_FALSE(decode(blob, out));
}

}  // namespace
}  // namespace weightfs::codec
