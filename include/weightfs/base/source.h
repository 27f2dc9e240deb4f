// Random access to a run of bytes that somebody else keeps: a file, a buffer, a part of either.
#pragma once

#include <cstdint>
#include <cstring>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs {

// Thread-safe unless an implementation says otherwise. The size does not change while it is used.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  virtual std::uint64_t size_bytes() const = 0;
  // Fills `target` from `offset_bytes`; a range that does not lie within the source is an error.
  virtual Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const = 0;
  // The next offset at or after `offset_bytes` that may hold something other than zeros;
  // size_bytes() when there is none. Sources that don't know answer the offset itself.
  virtual std::uint64_t next_data(std::uint64_t offset_bytes) const { return offset_bytes; }
};

// Bytes that the caller keeps alive.
class SpanSource final : public ByteSource {
 public:
  explicit SpanSource(ByteSpan bytes) : bytes_(bytes) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const override {
    if (offset_bytes > bytes_.size() || target.size() > bytes_.size() - offset_bytes) {
      return fail(Code::invalid, "read past the end");
    }
    if (!target.empty()) std::memcpy(target.data(), bytes_.data() + offset_bytes, target.size());
    return {};
  }

 private:
  ByteSpan bytes_;
};

}  // namespace weightfs
