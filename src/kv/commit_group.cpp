#include "commit_group.h"

#include <algorithm>

namespace weightfs::kv {

Status CommitGroup::commit(std::uint64_t wanted_count, const std::function<Outcome()>& commit_now) {
  std::unique_lock lock(mutex_);
  const std::uint64_t finished_before = finished_count_;
  while (durable_count_ < wanted_count) {
    const bool failed = failed_commit_ > finished_before && failure_.covered_count >= wanted_count;
    if (failed) return failure_.status;
    if (is_running_) {
      finished_.wait(lock);
      continue;
    }
    is_running_ = true;
    lock.unlock();
    const Outcome outcome = commit_now();
    lock.lock();
    finish(outcome);
  }
  return {};
}

void CommitGroup::finish(const Outcome& outcome) {
  is_running_ = false;
  ++finished_count_;
  if (outcome.status) {
    durable_count_ = std::max(durable_count_, outcome.covered_count);
  } else {
    failed_commit_ = finished_count_;
    failure_ = outcome;
  }
  finished_.notify_all();
}

}  // namespace weightfs::kv
