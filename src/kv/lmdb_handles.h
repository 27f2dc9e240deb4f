// LMDB's handles with owners, and its values as spans. Private to kv/.
#pragma once

#include <lmdb.h>

#include <memory>
#include <string_view>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"
#include "weightfs/kv/environment.h"

namespace weightfs::kv {

struct EnvCloser {
  void operator()(MDB_env* env) const { mdb_env_close(env); }
};
struct TxnAborter {
  void operator()(MDB_txn* txn) const { mdb_txn_abort(txn); }
};
struct CursorCloser {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using EnvHandle = std::unique_ptr<MDB_env, EnvCloser>;
using TxnHandle = std::unique_ptr<MDB_txn, TxnAborter>;
using CursorHandle = std::unique_ptr<MDB_cursor, CursorCloser>;

// LMDB takes void* for what it only reads, hence the casts.
inline MDB_val to_val(std::string_view text) {
  return {.mv_size = text.size(), .mv_data = const_cast<char*>(text.data())};
}
inline MDB_val to_val(ByteSpan bytes) {
  return {.mv_size = bytes.size(), .mv_data = const_cast<std::byte*>(bytes.data())};
}
inline ByteSpan to_span(const MDB_val& value) {
  return {static_cast<const std::byte*>(value.mv_data), value.mv_size};
}

// Begins a transaction; `flags` is 0 or MDB_RDONLY.
Result<TxnHandle> begin(MDB_env* env, unsigned flags);
// The value in `txn`, nothing where the key is not there.
Result<std::optional<ByteSpan>> get_value(MDB_txn* txn, Table table, std::string_view key);

}  // namespace weightfs::kv
