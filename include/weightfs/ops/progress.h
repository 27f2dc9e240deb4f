// How far a long operation has come, told while it runs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace weightfs::ops {

struct Progress {
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;   // 0: not known
  std::uint64_t done_items = 0;    // files, blobs, tensors: whatever the operation counts
  std::uint64_t total_items = 0;   // 0: not known
  std::uint64_t stored_bytes = 0;  // new in the store, for imports
  std::string current;             // what is being worked on
};

// Called from one thread at a time, often: who draws limits the rate. May be empty.
using ProgressCallback = std::function<void(const Progress&)>;

}  // namespace weightfs::ops
