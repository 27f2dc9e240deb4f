#include "weightfs/kv/buffered.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "checked_value.h"
#include "commit_group.h"
#include "memtable.h"
#include "weightfs/base/fault.h"

namespace weightfs::kv {
namespace {

// The pair at a cursor's position; Code::corrupt where it is damaged.
Result<KeyValue> pair_at(const Cursor& cursor) {
  WEIGHTFS_ASSIGN(const std::string_view value, without_checksum(cursor.key(), cursor.value()));
  return KeyValue(cursor.key(), value);
}

// What a scan has to know of the changes in memory: all up to the one that completes its limit.
std::vector<Row> changes_for_scan(const Overlay& overlay, Table table, std::string_view from,
                                  std::string_view to, std::size_t limit) {
  std::vector<Row> changes;
  std::size_t live_count = 0;
  overlay.ascend(table, from, to, [&](const Row& row) {
    changes.push_back(row);
    if (row.second) ++live_count;
    return live_count < limit;
  });
  return changes;
}

// The greatest key that lives in memory, and the keys above it that were erased there.
struct ChangesBelow {
  std::optional<KeyValue> live;
  std::set<std::string, std::less<>> erased;
};

ChangesBelow changes_below(const Overlay& overlay, Table table, std::string_view below) {
  ChangesBelow changes;
  overlay.descend(table, below, [&](const Row& row) {
    if (row.second) {
      changes.live.emplace(row.first, *row.second);
    } else {
      changes.erased.insert(row.first);
    }
    return !changes.live;
  });
  return changes;
}

Status write_row(WriteTransaction& transaction, Table table, const Row& row) {
  if (row.second) {
    return transaction.put(table, row.first, bytes_of(with_checksum(row.first, *row.second)));
  }
  WEIGHTFS_TRY(transaction.erase(table, row.first));
  return {};
}

Status write_all(Environment& environment, const Memtable& changes) {
  WEIGHTFS_FAULT_POINT("kv.commit.before");
  WEIGHTFS_ASSIGN(WriteTransaction transaction, environment.begin_write());
  for (const auto& [dbi, rows] : changes.tables()) {
    for (const Row& row : rows) WEIGHTFS_TRY(write_row(transaction, Table{dbi}, row));
  }
  WEIGHTFS_FAULT_POINT("kv.commit.written");
  WEIGHTFS_TRY(transaction.commit());
  WEIGHTFS_FAULT_POINT("kv.commit.after");
  return {};
}

}  // namespace

void Batch::append(Batch&& other) {
  if (entries_.empty()) {
    entries_ = other.take();
    return;
  }
  std::move(other.entries_.begin(), other.entries_.end(), std::back_inserter(entries_));
  other.entries_.clear();
}

struct Buffered::Impl {
  explicit Impl(Environment& environment_used) : environment(environment_used) {}

  Overlay overlay() const { return Overlay(active, frozen); }
  std::uint64_t freeze();
  Status write_frozen();

  Environment& environment;
  // Protects active, frozen and applied_count. Read transactions begin under it, so that what was
  // committed is seen either in `frozen` or on disk; they are read without it.
  mutable std::shared_mutex mutex;
  Memtable active;
  Memtable frozen;  // only the committing thread changes it; it reads it without the lock
  std::uint64_t applied_count = 0;
  CommitGroup commits;
};

Buffered::Buffered(Environment& environment) : impl_(std::make_unique<Impl>(environment)) {}
Buffered::~Buffered() = default;

Result<std::optional<std::string>> Buffered::get(Table table, std::string_view key) const {
  std::shared_lock lock(impl_->mutex);
  if (const Change* change = impl_->overlay().find(table, key)) return *change;
  WEIGHTFS_ASSIGN(const ReadTransaction transaction, impl_->environment.begin_read());
  lock.unlock();
  WEIGHTFS_ASSIGN(const auto found, transaction.get(table, key));
  if (!found) return std::nullopt;
  WEIGHTFS_ASSIGN(const std::string_view value, without_checksum(key, *found));
  return std::string(value);
}

Result<std::vector<KeyValue>> Buffered::scan(Table table, std::string_view from,
                                             std::string_view to, std::size_t limit) const {
  std::vector<KeyValue> pairs;
  if (limit == 0) return pairs;
  std::shared_lock lock(impl_->mutex);
  std::vector<Row> changes = changes_for_scan(impl_->overlay(), table, from, to, limit);
  WEIGHTFS_ASSIGN(const ReadTransaction transaction, impl_->environment.begin_read());
  lock.unlock();
  WEIGHTFS_ASSIGN(Cursor cursor, Cursor::open(transaction, table));
  WEIGHTFS_ASSIGN(bool on_disk, cursor.seek(from));
  auto change = changes.begin();
  while (pairs.size() < limit) {
    on_disk = on_disk && (to.empty() || cursor.key() < to);
    const bool in_memory = change != changes.end();
    if (!on_disk && !in_memory) break;
    if (!in_memory || (on_disk && cursor.key() < change->first)) {
      WEIGHTFS_ASSIGN(KeyValue pair, pair_at(cursor));
      pairs.push_back(std::move(pair));
      WEIGHTFS_ASSIGN(on_disk, cursor.next());
      continue;
    }
    if (on_disk && cursor.key() == change->first) {
      WEIGHTFS_ASSIGN(on_disk, cursor.next());
    }
    if (change->second) pairs.emplace_back(change->first, std::move(*change->second));
    ++change;
  }
  return pairs;
}

Result<std::optional<KeyValue>> Buffered::last_before(Table table, std::string_view below) const {
  std::shared_lock lock(impl_->mutex);
  ChangesBelow changes = changes_below(impl_->overlay(), table, below);
  WEIGHTFS_ASSIGN(const ReadTransaction transaction, impl_->environment.begin_read());
  lock.unlock();
  WEIGHTFS_ASSIGN(Cursor cursor, Cursor::open(transaction, table));
  bool found = false;
  if (!below.empty()) {
    WEIGHTFS_ASSIGN(found, cursor.seek(below));
  }
  if (found) {
    WEIGHTFS_ASSIGN(found, cursor.previous());
  } else {
    WEIGHTFS_ASSIGN(found, cursor.last());
  }
  while (found && changes.erased.contains(cursor.key())) {
    WEIGHTFS_ASSIGN(found, cursor.previous());
  }
  const bool disk_wins = found && (!changes.live || changes.live->first < cursor.key());
  if (disk_wins) return pair_at(cursor);
  return std::move(changes.live);
}

Result<std::vector<std::string>> Buffered::damaged_keys(Table table) const {
  constexpr std::size_t kPairsPerRead = 1024;
  std::vector<std::string> damaged;
  std::string position;
  for (bool is_more = true; is_more;) {
    WEIGHTFS_ASSIGN(const ReadTransaction transaction, impl_->environment.begin_read());
    WEIGHTFS_ASSIGN(Cursor cursor, Cursor::open(transaction, table));
    WEIGHTFS_ASSIGN(is_more, cursor.seek(position));
    for (std::size_t i = 0; is_more && i < kPairsPerRead; ++i) {
      if (!without_checksum(cursor.key(), cursor.value())) damaged.emplace_back(cursor.key());
      WEIGHTFS_ASSIGN(is_more, cursor.next());
    }
    if (is_more) position = cursor.key();
  }
  return damaged;
}

void Buffered::apply(Batch&& batch) {
  std::vector<Batch::Entry> entries = batch.take();
  if (entries.empty()) return;
  const std::unique_lock lock(impl_->mutex);
  for (Batch::Entry& entry : entries) impl_->active.apply(std::move(entry));
  ++impl_->applied_count;
}

std::size_t Buffered::pending_bytes() const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->active.size_bytes() + impl_->frozen.size_bytes();
}

// Moves what was applied out of the way of new batches; returns how many batches that covers.
std::uint64_t Buffered::Impl::freeze() {
  const std::unique_lock lock(mutex);
  frozen = std::exchange(active, {});
  return applied_count;
}

Status Buffered::Impl::write_frozen() {
  if (frozen.empty()) return {};
  Status written = write_all(environment, frozen);
  const std::unique_lock lock(mutex);
  if (!written) active.put_under(std::move(frozen));
  frozen = {};
  return written;
}

Status Buffered::commit() {
  std::uint64_t wanted = 0;
  {
    const std::shared_lock lock(impl_->mutex);
    wanted = impl_->applied_count;
  }
  return impl_->commits.commit(wanted, [this] {
    const std::uint64_t covered = impl_->freeze();
    return CommitGroup::Outcome{covered, impl_->write_frozen()};
  });
}

}  // namespace weightfs::kv
