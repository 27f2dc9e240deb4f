// What stands behind the transactions of environment.h. Private to kv/.
#pragma once

#include <utility>

#include "reader_pool.h"

namespace weightfs::kv {

struct ReadTransaction::Impl {
  Impl(ReaderPool& pool_used, TxnHandle handle) : pool(pool_used), txn(std::move(handle)) {}
  ~Impl() { pool.give_back(std::move(txn)); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  ReaderPool& pool;
  TxnHandle txn;
};

struct WriteTransaction::Impl {
  // Checks that the old value's pages can be freed, which LMDB does by a count in their header,
  // unchecked; Code::corrupt otherwise. False where there is no old value.
  Result<bool> check_old_value(Table table, std::string_view key) const;
  // The same, for a new value of `size_bytes`.
  Status make_way(Table table, std::string_view key, std::size_t size_bytes) const;

  MDB_env* env = nullptr;
  ReaderPool* readers = nullptr;  // told of the commit
  TxnHandle txn;
  std::uint64_t page_bytes = 0;
  std::uint64_t written_bytes = 0;  // roughly what commit() will ask of the disk
};

}  // namespace weightfs::kv
