#include "weightfs/hash/content_id.h"

#include <gtest/gtest.h>

#include "weightfs/hash/checksum.h"

namespace weightfs {
namespace {

// xxhsum -H128 of the same bytes. Persisted: these never change.
TEST(ContentId, IsXxh3WithTheLength) {
  EXPECT_EQ(content_id({}).to_text(), "99aa06d3014798d86001c324468d497f-0");
  EXPECT_EQ(content_id(bytes_of("abc")).to_text(), "06b05ab6733a618578af5f94892f3950-3");
  EXPECT_EQ(content_id(ByteVector(262'144)).to_text().size(), 32u + 1 + 6);
}

TEST(ContentId, IsEncodedHighHalfFirst) {
  const ContentId id{.low = 0x1122334455667788, .high = 0x99AABBCCDDEEFF00, .length_bytes = 0x0102};
  EXPECT_EQ(to_hex(bytes_of(id.encoded())), "99aabbccddeeff00112233445566778800000102");
  EXPECT_EQ(id.encoded().size(), ContentId::kEncodedBytes);
}

TEST(ContentId, DecodesWhatItEncodes) {
  const ContentId id = content_id(bytes_of("some bytes"));
  EXPECT_EQ(ContentId::decode(bytes_of(id.encoded())), id);
}

TEST(ContentId, DiffersByLengthAlone) {
  const ContentId one{.low = 1, .high = 2, .length_bytes = 3};
  ContentId other = one;
  other.length_bytes = 4;
  EXPECT_NE(one, other);
  EXPECT_NE(std::hash<ContentId>()(one), std::hash<ContentId>()(other));
}

// xxhsum -H3 of the same bytes.
TEST(Checksum, IsXxh3) {
  EXPECT_EQ(checksum(bytes_of("abc")), 0x78AF5F94892F3950U);
}

TEST(Checksum, DependsOnItsSeed) {
  EXPECT_NE(checksum(bytes_of("abc"), 1), checksum(bytes_of("abc"), 2));
  EXPECT_NE(checksum({}, 1), checksum({}, 2));
}

}  // namespace
}  // namespace weightfs
