#include "delta_ints.h"

#include <gtest/gtest.h>

#include <random>

#include "weightfs/codec/codec.h"

namespace weightfs::codec {
namespace {

constexpr Dtype kDtypes[] = {Dtype::opaque, Dtype::i64,     Dtype::i32,     Dtype::i16,
                             Dtype::i8,     Dtype::f8_e4m3, Dtype::f8_e5m2, Dtype::q4_0,
                             Dtype::q8_0,   Dtype::q6_k,    Dtype::u4};

ByteVector make_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  ByteVector raw(size);
  for (std::byte& byte : raw) byte = static_cast<std::byte>(random());
  return raw;
}

// One byte in twenty moved by one.
ByteVector nudge(ByteVector raw) {
  std::mt19937 random(3);
  for (std::byte& byte : raw) {
    if (random() % 20 == 0) byte = static_cast<std::byte>(std::to_integer<int>(byte) + 1);
  }
  return raw;
}

TEST(DeltaInts, RoundTripEveryDtypeAtAnyLength) {
  for (const Dtype dtype : kDtypes) {
    for (const std::size_t size : {1, 7, 210, 4999}) {
      SCOPED_TRACE(testing::Message() << dtype_name(dtype) << ", size " << size);
      const ByteVector base = make_bytes(size, 1);
      for (const ByteVector& raw : {nudge(base), base, make_bytes(size, 2)}) {
        DeltaIntsScratch scratch;
        ByteVector stream(2 * size + 262144);
        StreamWriter out(stream);
        ASSERT_TRUE(encode_delta_ints(raw, base, dtype, 1e300, scratch, out));
        ByteReader in(out.view());
        ByteVector decoded(size);
        ASSERT_TRUE(decode_delta_ints(in, base, decoded, scratch));
        EXPECT_TRUE(in.at_end());
        ASSERT_EQ(decoded, raw);
      }
    }
  }
}

TEST(DeltaInts, AreChosenWhereTheBaseTellsMuchAndOnlyThere) {
  Scratch scratch;
  for (const Dtype dtype : kDtypes) {
    SCOPED_TRACE(dtype_name(dtype));
    const ByteVector base = make_bytes(66000, 1);
    const EncodeOptions options = {.dtype = dtype, .base = base, .base_dtype = dtype};
    const ByteVector close = nudge(base);
    const EncodedBlock block = encode_block(close, options, scratch);
    EXPECT_EQ(block.tag, CodecTag::delta_ints);
    EXPECT_LT(block.bytes.size(), close.size() / 2);
    EXPECT_FALSE(encode_block(make_bytes(66000, 2), options, scratch).uses_base);
  }
}

TEST(DeltaInts, RefuseATruncatedStreamAndAnUnknownKind) {
  const ByteVector base = make_bytes(3000, 1);
  DeltaIntsScratch scratch;
  ByteVector stream(65536);
  StreamWriter out(stream);
  ASSERT_TRUE(encode_delta_ints(nudge(base), base, Dtype::i16, 1e300, scratch, out));
  stream.resize(out.size());
  ByteVector decoded(base.size());
  for (std::size_t size = 0; size < stream.size(); ++size) {
    ByteReader in(ByteSpan(stream).first(size));
    EXPECT_FALSE(decode_delta_ints(in, base, decoded, scratch)) << size;
  }
  stream[0] = std::byte{3};
  ByteReader in(stream);
  EXPECT_FALSE(decode_delta_ints(in, base, decoded, scratch));
}

}  // namespace
}  // namespace weightfs::codec
