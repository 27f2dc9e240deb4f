#include "checked_value.h"

#include <fmt/format.h>

#include <cstring>

#include "weightfs/hash/checksum.h"

namespace weightfs::kv {
namespace {

std::uint64_t checksum_of(std::string_view key, ByteSpan value) {
  return checksum(value, checksum(bytes_of(key)));
}

}  // namespace

std::string with_checksum(std::string_view key, std::string_view value) {
  std::string stored;
  stored.reserve(value.size() + sizeof(std::uint64_t));
  stored.append(value);
  char raw[sizeof(std::uint64_t)];
  const std::uint64_t sum = checksum_of(key, bytes_of(value));
  std::memcpy(raw, &sum, sizeof raw);
  return stored.append(raw, sizeof raw);
}

Result<std::string_view> without_checksum(std::string_view key, ByteSpan stored) {
  if (stored.size() >= sizeof(std::uint64_t)) {
    const ByteSpan value = stored.first(stored.size() - sizeof(std::uint64_t));
    const auto expected = load_unaligned<std::uint64_t>(value.data() + value.size());
    if (expected == checksum_of(key, value)) return text_of(value);
  }
  return fail(Code::corrupt, fmt::format("the record with key {} is damaged: run 'weightfs fsck'",
                                         to_hex(bytes_of(key))));
}

}  // namespace weightfs::kv
