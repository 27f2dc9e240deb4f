// Adds up what several threads have done, and tells a ProgressCallback now and then.
#pragma once

#include <chrono>
#include <mutex>
#include <string_view>

#include "weightfs/ops/progress.h"

namespace weightfs::ops {

// Thread-safe. The callback is called at most every kInterval, with a lock held, and once at the
// end.
class ProgressMeter {
 public:
  explicit ProgressMeter(ProgressCallback callback) : callback_(std::move(callback)) {}
  ~ProgressMeter() {
    if (callback_) callback_(progress_);
  }
  ProgressMeter(const ProgressMeter&) = delete;
  ProgressMeter& operator=(const ProgressMeter&) = delete;

  void begin_item(std::string_view name) {
    const std::lock_guard guard(mutex_);
    progress_.current = name;
    tell();
  }
  void end_item() {
    const std::lock_guard guard(mutex_);
    ++progress_.done_items;
    tell();
  }
  void add_items(std::uint64_t count) {
    const std::lock_guard guard(mutex_);
    progress_.done_items += count;
  }
  void add_bytes(std::uint64_t bytes) {
    const std::lock_guard guard(mutex_);
    progress_.done_bytes += bytes;
    tell();
  }
  void add_stored_bytes(std::uint64_t bytes) {
    const std::lock_guard guard(mutex_);
    progress_.stored_bytes += bytes;
  }
  void add_total(std::uint64_t bytes, std::uint64_t items) {
    const std::lock_guard guard(mutex_);
    progress_.total_bytes += bytes;
    progress_.total_items += items;
  }

 private:
  static constexpr std::chrono::milliseconds kInterval{100};

  void tell() {
    if (!callback_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kInterval;
    callback_(progress_);
  }

  const ProgressCallback callback_;
  std::mutex mutex_;  // protects what follows; a leaf in the lock order
  Progress progress_;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + kInterval;
};

}  // namespace weightfs::ops
