#include "data_file.h"
#include "lmdb_error.h"
#include "transaction_impl.h"

namespace weightfs::kv {

Result<TxnHandle> begin(MDB_env* env, unsigned flags) {
  MDB_txn* txn = nullptr;
  const int rc = mdb_txn_begin(env, nullptr, flags, &txn);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't begin a transaction");
  return TxnHandle(txn);
}

Result<std::optional<ByteSpan>> get_value(MDB_txn* txn, Table table, std::string_view key) {
  MDB_val wanted = to_val(key);
  MDB_val found{};
  const int rc = mdb_get(txn, table.dbi, &wanted, &found);
  if (rc == MDB_NOTFOUND) return std::nullopt;
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't read a key");
  return to_span(found);
}

ReadTransaction::ReadTransaction(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReadTransaction::ReadTransaction(ReadTransaction&&) noexcept = default;
ReadTransaction& ReadTransaction::operator=(ReadTransaction&&) noexcept = default;
ReadTransaction::~ReadTransaction() = default;

Result<std::optional<ByteSpan>> ReadTransaction::get(Table table, std::string_view key) const {
  return get_value(impl_->txn.get(), table, key);
}

Result<TableStats> ReadTransaction::stats(Table table) const {
  MDB_stat stat{};
  const int rc = mdb_stat(impl_->txn.get(), table.dbi, &stat);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't read a table's statistics");
  return TableStats{.entries = stat.ms_entries,
                    .pages = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages};
}

Result<bool> WriteTransaction::Impl::check_old_value(Table table, std::string_view key) const {
  WEIGHTFS_ASSIGN(const auto old_value, get_value(txn.get(), table, key));
  if (!old_value) return false;
  const std::uint64_t page_count = pages_of_value(key.size(), old_value->size(), page_bytes);
  if (page_count == 0 || can_free_value(*old_value, page_count)) return true;
  return fail(Code::corrupt, "the pages of the value with key " + to_hex(bytes_of(key)) +
                                 " are damaged: run 'weightfs fsck'");
}

Status WriteTransaction::Impl::make_way(Table table, std::string_view key,
                                        std::size_t size_bytes) const {
  WEIGHTFS_ASSIGN(const auto old_value, get_value(txn.get(), table, key));
  if (!old_value) return {};
  WEIGHTFS_TRY(check_old_value(table, key));
  // In place of one that this transaction wrote, LMDB would keep the pages that a shorter value
  // does not need, and a count that can't be checked.
  const std::uint64_t old_count = pages_of_value(key.size(), old_value->size(), page_bytes);
  if (old_count <= pages_of_value(key.size(), size_bytes, page_bytes)) return {};
  MDB_val key_val = to_val(key);
  const int rc = mdb_del(txn.get(), table.dbi, &key_val, nullptr);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't erase a key");
  return {};
}

WriteTransaction::WriteTransaction(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WriteTransaction::WriteTransaction(WriteTransaction&&) noexcept = default;
WriteTransaction& WriteTransaction::operator=(WriteTransaction&&) noexcept = default;
WriteTransaction::~WriteTransaction() = default;

Result<std::optional<ByteSpan>> WriteTransaction::get(Table table, std::string_view key) const {
  return get_value(impl_->txn.get(), table, key);
}

Status WriteTransaction::put(Table table, std::string_view key, ByteSpan value) {
  WEIGHTFS_TRY(impl_->make_way(table, key, value.size()));
  MDB_val key_val = to_val(key);
  MDB_val value_val = to_val(value);
  const int rc = mdb_put(impl_->txn.get(), table.dbi, &key_val, &value_val, 0);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't write a key");
  impl_->written_bytes += key.size() + value.size();
  return {};
}

Status WriteTransaction::append(Table table, std::string_view key, ByteSpan value) {
  MDB_val key_val = to_val(key);
  MDB_val value_val = to_val(value);
  const int rc = mdb_put(impl_->txn.get(), table.dbi, &key_val, &value_val, MDB_APPEND);
  if (rc == MDB_KEYEXIST) return put(table, key, value);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't append a key");
  impl_->written_bytes += key.size() + value.size();
  return {};
}

Result<MutableByteSpan> WriteTransaction::reserve(Table table, std::string_view key,
                                                  std::size_t size_bytes) {
  WEIGHTFS_TRY(impl_->make_way(table, key, size_bytes));
  MDB_val key_val = to_val(key);
  MDB_val room{.mv_size = size_bytes, .mv_data = nullptr};
  const int rc = mdb_put(impl_->txn.get(), table.dbi, &key_val, &room, MDB_RESERVE);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't make room for a value");
  impl_->written_bytes += key.size() + size_bytes;
  return MutableByteSpan(static_cast<std::byte*>(room.mv_data), size_bytes);
}

Result<bool> WriteTransaction::erase(Table table, std::string_view key) {
  WEIGHTFS_ASSIGN(const bool is_there, impl_->check_old_value(table, key));
  if (!is_there) return false;
  MDB_val key_val = to_val(key);
  const int rc = mdb_del(impl_->txn.get(), table.dbi, &key_val, nullptr);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't erase a key");
  return true;
}

namespace {

// Pages that one transaction frees are used again by the next but one. So that a full disk does not
// fail the next one for ever, a change of one page makes it the next but one. It may fail as well.
void let_freed_pages_be_used(MDB_env* env, ReaderPool& readers) {
  auto txn = begin(env, 0);
  MDB_dbi names = 0;
  if (!txn || mdb_dbi_open(txn->get(), nullptr, 0, &names) != MDB_SUCCESS) return;
  MDB_val key = to_val(std::string_view("freed"));
  MDB_val nothing = to_val(std::string_view());
  if (mdb_put(txn->get(), names, &key, &nothing, 0) != MDB_SUCCESS) return;
  readers.commit_begins();
  mdb_txn_commit(txn->release());
}

}  // namespace

Status WriteTransaction::commit() {
  impl_->readers->commit_begins();
  // mdb_txn_commit frees the transaction whatever it answers.
  const int rc = mdb_txn_commit(impl_->txn.release());
  if (rc != MDB_SUCCESS) {
    const int cause = cause_of_failed_write(impl_->env, rc, impl_->written_bytes);
    Error error = lmdb_error(cause, "can't commit a transaction");
    if (error.code == Code::no_space) let_freed_pages_be_used(impl_->env, *impl_->readers);
    return tl::unexpected(std::move(error));
  }
  return {};
}

}  // namespace weightfs::kv
