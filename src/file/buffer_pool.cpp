#include "weightfs/file/buffer_pool.h"

namespace weightfs::file {
namespace {

constexpr std::size_t kMostFreeBuffers = 64;

}  // namespace

ByteVector BufferPool::take(std::size_t size_bytes) {
  ByteVector buffer;
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      buffer = std::move(free_.back());
      free_.pop_back();
    }
  }
  buffer.resize(size_bytes);
  return buffer;
}

void BufferPool::give_back(ByteVector buffer) {
  const std::lock_guard lock(mutex_);
  if (free_.size() < kMostFreeBuffers) free_.push_back(std::move(buffer));
}

}  // namespace weightfs::file
