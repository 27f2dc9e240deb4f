// What to decode before it is asked for.
//
// Loaders share descriptors and jump between tensors, so sequences are recognised by region of the
// file, not by handle: a few streams are remembered, and a read that goes on where one of them was
// moves it on. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

namespace weightfs::fs {

class ReadAhead {
 public:
  struct Range {
    std::uint64_t begin_bytes;
    std::uint64_t end_bytes;
  };
  // Notes a read; answers the range that should be decoded ahead of it, if any is due.
  std::optional<Range> note_read(std::uint64_t offset_bytes, std::uint64_t size_bytes);

 private:
  struct Stream {
    std::uint64_t next_bytes = 0;   // where the stream is expected to go on
    std::uint64_t ahead_bytes = 0;  // up to where it was prefetched
    std::uint64_t last_used = 0;
  };
  std::mutex mutex_;  // protects what follows; a leaf in the lock order
  std::array<Stream, 8> streams_;
  std::uint64_t clock_ = 0;
};

}  // namespace weightfs::fs
