#include "weightfs/hash/content_id.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace weightfs {

std::string ContentId::encoded() const {
  std::string key;
  key.reserve(kEncodedBytes);
  append_big_endian(key, high);
  append_big_endian(key, low);
  append_big_endian(key, length_bytes);
  return key;
}

ContentId ContentId::decode(ByteSpan encoded) {
  ByteReader reader(encoded);
  ContentId id;
  id.high = reader.big_endian<std::uint64_t>();
  id.low = reader.big_endian<std::uint64_t>();
  id.length_bytes = reader.big_endian<std::uint32_t>();
  return id;
}

std::string ContentId::to_text() const {
  return fmt::format("{:016x}{:016x}-{}", high, low, length_bytes);
}

ContentId content_id(ByteSpan raw) {
  const XXH128_hash_t hash = XXH3_128bits(raw.data(), raw.size());
  return {.low = hash.low64,
          .high = hash.high64,
          .length_bytes = static_cast<std::uint32_t>(raw.size())};
}

}  // namespace weightfs
