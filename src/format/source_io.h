// Bounded reading of sources: a range in memory, a part of a source as a source, a source with a
// budget. All sources here borrow the source beneath them and are as thread-safe as it is.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "weightfs/base/source.h"

namespace weightfs::format {

// `length_bytes` bytes at `offset_bytes`; Code::invalid if they don't lie within the source or are
// more than bounds.h's kMaxHeaderBytes.
Result<ByteVector> read_range(const ByteSource& source, std::uint64_t offset_bytes,
                              std::uint64_t length_bytes);

// The first bytes, as far as there are any.
Result<ByteVector> read_head(const ByteSource& source, std::uint64_t max_bytes);

// [offset, offset + length) of another source, from zero. The caller has checked that it fits.
class SliceSource final : public ByteSource {
 public:
  SliceSource(const ByteSource& source, std::uint64_t offset_bytes, std::uint64_t length_bytes)
      : source_(source), offset_bytes_(offset_bytes), length_bytes_(length_bytes) {}
  std::uint64_t size_bytes() const override { return length_bytes_; }
  Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const override;

 private:
  const ByteSource& source_;
  std::uint64_t offset_bytes_;
  std::uint64_t length_bytes_;
};

// Reads through until the bytes or the time are used up; every read after that fails, which ends
// the parse.
class MeteredSource final : public ByteSource {
 public:
  MeteredSource(const ByteSource& source, std::uint64_t max_bytes,
                std::chrono::milliseconds max_time)
      : source_(source),
        bytes_left_(static_cast<std::int64_t>(max_bytes)),
        deadline_(std::chrono::steady_clock::now() + max_time) {}
  std::uint64_t size_bytes() const override { return source_.size_bytes(); }
  Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const override;

 private:
  const ByteSource& source_;
  mutable std::atomic<std::int64_t> bytes_left_;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace weightfs::format
