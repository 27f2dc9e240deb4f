// Buffers that go round, so that a decoded block does not fault its pages in anew. Thread-safe.
#pragma once

#include <mutex>
#include <vector>

#include "weightfs/base/bytes.h"

namespace weightfs::file {

class BufferPool {
 public:
  // A buffer of exactly `size_bytes`, holding anything.
  ByteVector take(std::size_t size_bytes);
  void give_back(ByteVector buffer);

 private:
  std::mutex mutex_;  // protects free_; a leaf in the lock order
  std::vector<ByteVector> free_;
};

}  // namespace weightfs::file
