#include "lmdb_error.h"
#include "transaction_impl.h"

namespace weightfs::kv {

struct Cursor::Impl {
  Result<bool> move(MDB_cursor_op operation) {
    const int rc = mdb_cursor_get(cursor.get(), &key, &value, operation);
    if (rc == MDB_NOTFOUND) return false;
    if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't move a cursor");
    return true;
  }

  static Result<Cursor> open(MDB_txn* txn, Table table) {
    MDB_cursor* cursor = nullptr;
    const int rc = mdb_cursor_open(txn, table.dbi, &cursor);
    if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't open a cursor");
    auto impl = std::make_unique<Impl>();
    impl->cursor.reset(cursor);
    return Cursor(std::move(impl));
  }

  CursorHandle cursor;
  MDB_val key{};
  MDB_val value{};
};

Result<Cursor> Cursor::open(const ReadTransaction& transaction, Table table) {
  return Impl::open(transaction.impl_->txn.get(), table);
}

Result<Cursor> Cursor::open(const WriteTransaction& transaction, Table table) {
  return Impl::open(transaction.impl_->txn.get(), table);
}

Cursor::Cursor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

Result<bool> Cursor::seek(std::string_view key) {
  if (key.empty()) return impl_->move(MDB_FIRST);
  impl_->key = to_val(key);
  return impl_->move(MDB_SET_RANGE);
}

Result<bool> Cursor::next() {
  return impl_->move(MDB_NEXT);
}
Result<bool> Cursor::last() {
  return impl_->move(MDB_LAST);
}
Result<bool> Cursor::previous() {
  return impl_->move(MDB_PREV);
}
std::string_view Cursor::key() const {
  return text_of(to_span(impl_->key));
}
ByteSpan Cursor::value() const {
  return to_span(impl_->value);
}

}  // namespace weightfs::kv
