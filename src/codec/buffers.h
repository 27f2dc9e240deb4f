// Memory that codecs reuse between blocks: it grows, is never cleared, and is aligned to a cache
// line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "weightfs/base/bytes.h"

namespace weightfs::codec {

// Vector kernels may read and write this much past the end of what they are given.
constexpr std::size_t kVectorPadding = 64;

// Uninitialised bytes. Not thread-safe.
class ScratchBuffer {
 public:
  // At least `size` bytes and kVectorPadding behind them; what was in the buffer is lost if it
  // grows.
  MutableByteSpan get(std::size_t size) {
    if (bytes_ == nullptr || size > capacity_) {
      capacity_ = std::max(size, capacity_ + capacity_ / 2);
      bytes_.reset(allocate(capacity_ + kVectorPadding));
    }
    return {bytes_.get(), size};
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(std::byte* bytes) const { ::operator delete(bytes, kAlignment); }
  };
  static std::byte* allocate(std::size_t size) {
    return static_cast<std::byte*>(::operator new(size, kAlignment));
  }

  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t capacity_ = 0;
};

// A stream under construction, with a fixed capacity that the caller knows to suffice: an append
// that would not fit fails the stream, which is then given up. Not thread-safe.
class StreamWriter {
 public:
  explicit StreamWriter(MutableByteSpan target) : target_(target) {}

  bool failed() const { return failed_; }
  std::size_t size() const { return size_; }
  ByteSpan view() const { return target_.first(size_); }

  // `count` bytes at the end for the caller to fill; empty and failed() if they don't fit.
  MutableByteSpan extend(std::size_t count) {
    if (failed_ || count > target_.size() - size_) {
      failed_ = true;
      return {};
    }
    size_ += count;
    return target_.subspan(size_ - count, count);
  }
  void append(ByteSpan bytes) {
    const MutableByteSpan place = extend(bytes.size());
    if (!failed_) std::copy(bytes.begin(), bytes.end(), place.begin());
  }
  void u8(std::uint8_t value) {
    const MutableByteSpan place = extend(1);
    if (!failed_) place[0] = std::byte{value};
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) u8(static_cast<std::uint8_t>(value | 0x80));
    u8(static_cast<std::uint8_t>(value));
  }
  // Forgets everything after the first `size` bytes, and that they did not fit.
  void truncate(std::size_t size) {
    size_ = size;
    failed_ = false;
  }

 private:
  MutableByteSpan target_;
  std::size_t size_ = 0;
  bool failed_ = false;
};

}  // namespace weightfs::codec
