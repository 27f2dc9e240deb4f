#include "reader_pool.h"

#include "lmdb_error.h"

namespace weightfs::kv {

TxnHandle ReaderPool::take_idle() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  TxnHandle txn = std::move(idle_.back());
  idle_.pop_back();
  return txn;
}

Status ReaderPool::renew(MDB_txn* txn) const {
  const int rc = mdb_txn_renew(txn);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't renew a read transaction");
  return {};
}

Result<TxnHandle> ReaderPool::take() {
  TxnHandle txn = take_idle();
  for (;;) {
    const std::uint64_t begun_before = begun_commit_count_;
    if (txn == nullptr) {
      WEIGHTFS_ASSIGN(txn, begin(env_, MDB_RDONLY));
    } else {
      WEIGHTFS_TRY(renew(txn.get()));
    }
    if (begun_commit_count_ == begun_before) return txn;
    mdb_txn_reset(txn.get());
  }
}

void ReaderPool::give_back(TxnHandle txn) {
  mdb_txn_reset(txn.get());
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(txn));
}

}  // namespace weightfs::kv
