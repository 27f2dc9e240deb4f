#include "source_io.h"

#include <algorithm>

#include "bounds.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {

Result<ByteVector> read_range(const ByteSource& source, std::uint64_t offset_bytes,
                              std::uint64_t length_bytes) {
  if (!range_fits(offset_bytes, length_bytes, source.size_bytes())) {
    return fail(Code::invalid, "a record reaches past the end of the file");
  }
  if (length_bytes > kMaxHeaderBytes) return fail(Code::invalid, "a header is too large");
  ByteVector bytes(length_bytes);
  WEIGHTFS_TRY(source.read_at(offset_bytes, bytes));
  return bytes;
}

Result<ByteVector> read_head(const ByteSource& source, std::uint64_t max_bytes) {
  return read_range(source, 0, std::min(max_bytes, source.size_bytes()));
}

Status SliceSource::read_at(std::uint64_t offset_bytes, MutableByteSpan target) const {
  if (!range_fits<std::uint64_t>(offset_bytes, target.size(), length_bytes_)) {
    return fail(Code::invalid, "read past the end");
  }
  return source_.read_at(offset_bytes_ + offset_bytes, target);
}

Status MeteredSource::read_at(std::uint64_t offset_bytes, MutableByteSpan target) const {
  // Small reads cost more than their bytes: each counts as at least a kilobyte.
  const auto cost = static_cast<std::int64_t>(std::max<std::size_t>(target.size(), 1024));
  if (bytes_left_.fetch_sub(cost, std::memory_order_relaxed) < cost) {
    return fail(Code::invalid, "parsing would read too much of the file");
  }
  if (std::chrono::steady_clock::now() > deadline_) {
    return fail(Code::invalid, "parsing takes too long");
  }
  return source_.read_at(offset_bytes, target);
}

}  // namespace weightfs::format
