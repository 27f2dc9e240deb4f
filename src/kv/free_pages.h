// LMDB's list of free pages. Private to kv/.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <functional>

#include "lmdb_handles.h"

namespace weightfs::kv {

// Calls `visit` with each entry of the list in ascending order of the transaction that freed its
// pages, until it answers false. An entry is a count and as many page numbers, as u64 as they lie
// in the file.
using FreeListVisitor = std::function<bool(std::uint64_t freed_by, ByteSpan list)>;
Status for_each_free_list(MDB_txn* reader, std::uint64_t from_transaction,
                          const FreeListVisitor& visit);

// The pages that later transactions may reuse.
Result<std::uint64_t> free_page_count(MDB_env* env);

// Takes free pages out of the data file, so that the disk has their space again (fallocate with
// PUNCH_HOLE). LMDB writes a page whole before it reads it again, so a hole in a free page is never
// seen. Which pages are free for good is LMDB's own rule for reusing them: they were freed before
// the last commit but one, so that neither a reader nor the meta page that a crash falls back to
// sees them.
class FreePagePuncher {
 public:
  explicit FreePagePuncher(MDB_env* env) : env_(env) {}

  // One bounded step. Waits for the write transaction before it, and holds others up meanwhile.
  // Code::unsupported where the file system has no holes.
  Result<PunchProgress> step();

 private:
  MDB_env* const env_;
  std::uint64_t punched_until_ = 0;  // what this transaction and earlier ones freed is done
};

}  // namespace weightfs::kv
