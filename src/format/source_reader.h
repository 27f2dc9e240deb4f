// A bounds-checked cursor over a ByteSource of any size: what ByteReader is to bytes in memory.
//
// Reads go through one window of kWindowBytes, so that walking many small fields costs few reads,
// and skipping over a payload costs none. A read that would pass the limit fails, sets failed() and
// gives zero or nothing, and so does everything after it. Single-threaded; borrows the source.
#pragma once

#include <cstdint>
#include <string>

#include "weightfs/base/bytes.h"
#include "weightfs/base/source.h"

namespace weightfs::format {

class SourceReader {
 public:
  static constexpr std::size_t kWindowBytes = 4096;

  explicit SourceReader(const ByteSource& source) : SourceReader(source, 0, source.size_bytes()) {}
  // Positions are those of the source; nothing before `begin_bytes` or from `end_bytes` on is read.
  SourceReader(const ByteSource& source, std::uint64_t begin_bytes, std::uint64_t end_bytes);

  bool failed() const { return failed_; }
  std::uint64_t position() const { return position_; }
  std::uint64_t end() const { return end_; }
  std::uint64_t remaining() const { return end_ - position_; }
  bool at_end() const { return failed_ || remaining() == 0; }
  void set_failed() { failed_ = true; }

  template <std::unsigned_integral T>
  T little_endian() {
    const ByteSpan raw = small(sizeof(T));
    return raw.empty() ? T{0} : load_unaligned<T>(raw.data());
  }
  template <std::unsigned_integral T>
  T big_endian() {
    return byte_swap(little_endian<T>());
  }
  std::uint8_t u8() { return little_endian<std::uint8_t>(); }
  std::uint16_t u16() { return little_endian<std::uint16_t>(); }
  std::uint32_t u32() { return little_endian<std::uint32_t>(); }
  std::uint64_t u64() { return little_endian<std::uint64_t>(); }
  // Unsigned LEB128, at most 10 bytes.
  std::uint64_t varint();

  // Copies of the next bytes; a length above `limit_bytes` fails before anything is allocated.
  std::string text(std::uint64_t length_bytes, std::uint64_t limit_bytes = 1 << 16);
  ByteVector bytes(std::uint64_t length_bytes, std::uint64_t limit_bytes = 1 << 20);

  void skip(std::uint64_t length_bytes);
  // To an absolute position before the end.
  void seek(std::uint64_t position_bytes);

 private:
  // `count` bytes (at most the window), borrowed until the next call; empty on failure.
  ByteSpan small(std::size_t count);
  bool fill_window();

  const ByteSource* source_;
  std::uint64_t begin_;
  std::uint64_t end_;
  std::uint64_t position_;
  std::uint64_t window_begin_ = 0;
  ByteVector window_;
  bool failed_ = false;
};

}  // namespace weightfs::format
