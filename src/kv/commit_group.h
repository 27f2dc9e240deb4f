// Lets those who commit at the same time share one transaction. Private to kv/.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

#include "weightfs/base/result.h"

namespace weightfs::kv {

// Changes are counted: a commit covers all up to a number. Thread-safe.
class CommitGroup {
 public:
  struct Outcome {
    std::uint64_t covered_count = 0;  // all changes up to this one took part
    Status status;
  };

  // Returns when the first `wanted_count` changes are durable, or with the error of a commit that
  // covered them. Who finds no commit running runs `commit_now` (without a lock, one at a time);
  // who finds one that began too early waits for it, and then all who waited share the next.
  Status commit(std::uint64_t wanted_count, const std::function<Outcome()>& commit_now);

 private:
  void finish(const Outcome& outcome);

  std::mutex mutex_;  // protects all below; never held while committing
  std::condition_variable finished_;
  bool is_running_ = false;
  std::uint64_t finished_count_ = 0;  // commits, failed ones too
  std::uint64_t durable_count_ = 0;   // changes
  // The latest failure: which commit it was, and what it covered.
  std::uint64_t failed_commit_ = 0;
  Outcome failure_;
};

}  // namespace weightfs::kv
