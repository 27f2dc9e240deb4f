// Content ids: what a block's bytes are called, wherever they are stored.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "weightfs/base/bytes.h"

namespace weightfs {

// XXH3-128 (seed 0, XXH3 of xxHash 0.8) of a block's raw bytes, together with their number. Not
// proof against a deliberate collision: where owners differ, bytes are compared as well.
struct ContentId {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::uint32_t length_bytes = 0;

  static constexpr std::size_t kEncodedBytes = 20;

  auto operator<=>(const ContentId&) const = default;
  // 20 bytes: high and low big-endian (xxHash's canonical form), then the length, big-endian.
  std::string encoded() const;
  static ContentId decode(ByteSpan encoded);  // of exactly kEncodedBytes
  std::string to_text() const;                // 32 hexadecimal digits, "-", the length
};

// Thread-safe. `raw` is at most 4 GiB - 1.
ContentId content_id(ByteSpan raw);

}  // namespace weightfs

template <>
struct std::hash<weightfs::ContentId> {
  std::size_t operator()(const weightfs::ContentId& id) const noexcept {
    return static_cast<std::size_t>(id.low ^ id.length_bytes);
  }
};
