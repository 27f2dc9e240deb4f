// Read transactions that wait to be used again. Private to kv/.
//
// Beginning a transaction claims a slot in the lock file; renewing one that was reset does not.
//
// LMDB 0.9 has a race: a reader takes the number N of the last commit and then reads meta page N
// mod 2. If N + 1 is committed in between, and N + 2 is being committed, the reader sees N + 2
// before it is durable, and its next transaction may see N + 1. So the writer counts the commits
// that it begins, and a reader that saw the count change begins anew.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "lmdb_handles.h"

namespace weightfs::kv {

// Thread-safe. Outlives every transaction that was taken from it.
class ReaderPool {
 public:
  explicit ReaderPool(MDB_env* env) : env_(env) {}

  // A transaction that sees everything committed before the call.
  Result<TxnHandle> take();
  // Ends a transaction, and keeps its handle for take().
  void give_back(TxnHandle txn);
  // To be called before each commit.
  void commit_begins() { ++begun_commit_count_; }

 private:
  static constexpr std::size_t kMaxIdle = 64;

  TxnHandle take_idle();
  Status renew(MDB_txn* txn) const;

  MDB_env* const env_;
  std::atomic<std::uint64_t> begun_commit_count_{0};
  std::mutex mutex_;  // protects idle_; a leaf in the lock order
  std::vector<TxnHandle> idle_;
};

}  // namespace weightfs::kv
