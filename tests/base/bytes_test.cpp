#include "weightfs/base/bytes.h"

#include <gtest/gtest.h>

namespace weightfs {
namespace {

TEST(ByteReader, ReadsWhatByteWriterWrote) {
  ByteWriter out;
  out.u8(7);
  out.u32(0xDEADBEEF);
  out.varint(300);
  out.varint(~std::uint64_t{0});
  out.prefixed_text("name");
  ByteReader in(out.view());
  EXPECT_EQ(in.u8(), 7);
  EXPECT_EQ(in.u32(), 0xDEADBEEF);
  EXPECT_EQ(in.varint(), 300u);
  EXPECT_EQ(in.varint(), ~std::uint64_t{0});
  const std::uint64_t length = in.varint();
  EXPECT_EQ(in.text(length), "name");
  EXPECT_TRUE(in.at_end());
  EXPECT_FALSE(in.failed());
}

TEST(ByteReader, FailsForEverAfterReadingPastTheEnd) {
  const ByteVector three(3);
  ByteReader in(three);
  EXPECT_EQ(in.u32(), 0u);
  EXPECT_TRUE(in.failed());
  EXPECT_EQ(in.u8(), 0);
  EXPECT_TRUE(in.bytes(1).empty());
}

TEST(ByteReader, RefusesAVarintOfMoreThanTenBytes) {
  const ByteVector endless(32, std::byte{0xFF});
  ByteReader in(endless);
  in.varint();
  EXPECT_TRUE(in.failed());
}

TEST(AppendBigEndian, SortsAsTheNumberDoes) {
  std::string small;
  std::string large;
  append_big_endian<std::uint64_t>(small, 255);
  append_big_endian<std::uint64_t>(large, 256);
  EXPECT_LT(small, large);
}

}  // namespace
}  // namespace weightfs
