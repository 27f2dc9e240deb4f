// A block that is a piece of a longer base.
#include <gtest/gtest.h>

#include "adversarial_floats.h"
#include "weightfs/codec/codec.h"

namespace weightfs::codec {
namespace {

using testing::make_block;
using testing::Pattern;

constexpr std::size_t kBegin = 3000;
constexpr std::size_t kLength = 20000;

struct Slice {
  ByteVector base = make_block(testing::kPatterns[0], Dtype::f32, 65536);
  ByteVector raw{base.begin() + kBegin, base.begin() + kBegin + kLength};
  Scratch scratch;

  EncodedBlock encode(std::size_t offset) {
    return encode_block(
        raw,
        {.dtype = Dtype::f32, .base = base, .base_dtype = Dtype::f32, .base_offset_bytes = offset},
        scratch);
  }
};

TEST(SliceCodec, TakesTwoBytesAndComesBackExactly) {
  Slice slice;
  const EncodedBlock block = slice.encode(kBegin);
  EXPECT_EQ(block.tag, CodecTag::slice);
  EXPECT_TRUE(block.uses_base);
  ASSERT_EQ(block.bytes.size(), 2u);
  const ByteVector stream(block.bytes.begin(), block.bytes.end());
  EXPECT_EQ(stream, (ByteVector{std::byte{0xB8}, std::byte{0x17}}));  // 3000 as a varint; persisted
  ByteVector back(kLength);
  ASSERT_TRUE(decode_block(block.tag, stream, slice.base, back, slice.scratch));
  EXPECT_EQ(back, slice.raw);
}

TEST(SliceCodec, IsNotChosenWhereTheBaseHoldsOtherBytes) {
  Slice slice;
  for (const std::size_t offset :
       {std::size_t{0}, kBegin + 4, slice.base.size() - kLength + 1, ~std::size_t{0}}) {
    EXPECT_NE(slice.encode(offset).tag, CodecTag::slice) << offset;
    EXPECT_FALSE(slice.encode(offset).uses_base) << offset;
  }
}

TEST(SliceCodec, RefusesStreamsThatReachPastTheBase) {
  Slice slice;
  ByteVector out(kLength);
  const auto decode = [&](const ByteVector& stream, ByteSpan base) {
    return decode_block(CodecTag::slice, stream, base, out, slice.scratch).has_value();
  };
  const ByteVector right = {std::byte{0xB8}, std::byte{0x17}};
  EXPECT_TRUE(decode(right, slice.base));
  EXPECT_FALSE(decode(right, ByteSpan(slice.base).first(kBegin + kLength - 1)));
  EXPECT_FALSE(decode(right, {}));
  EXPECT_FALSE(decode({}, slice.base));
  EXPECT_FALSE(decode({std::byte{0xB8}}, slice.base));
  EXPECT_FALSE(decode({std::byte{0xB8}, std::byte{0x17}, std::byte{0}}, slice.base));
  EXPECT_FALSE(decode(ByteVector(9, std::byte{0xFF}), slice.base));
}

}  // namespace
}  // namespace weightfs::codec
