// A key-value store that answers from memory before the disk has heard of it.
//
// Changes are applied as atomic batches to an ordered table in memory and written to LMDB by
// commit(), which makes everything applied before it durable in one transaction, while new batches
// go on landing. Reads see every applied batch at once. After a crash the store is at the state of
// some commit(), so at a boundary between batches. All functions are thread-safe.
//
// What it writes carries a checksum behind each value, which it checks and removes when it reads: a
// pair that was damaged on disk is Code::corrupt. So its tables are read through it, not through
// the environment.
//
// Lock order: internal; a leaf. No callback is called with a lock held.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/kv/environment.h"

namespace weightfs::kv {

// Puts and erases that become visible, and durable, together. Later entries win.
class Batch {
 public:
  void put(Table table, std::string key, std::string value) {
    entries_.push_back({table, std::move(key), std::move(value)});
  }
  void erase(Table table, std::string key) {
    entries_.push_back({table, std::move(key), std::nullopt});
  }
  bool empty() const { return entries_.empty(); }
  void append(Batch&& other);

  struct Entry {
    Table table;
    std::string key;
    std::optional<std::string> value;  // nothing: erase
  };
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<Entry> take() { return std::move(entries_); }

 private:
  std::vector<Entry> entries_;
};

using KeyValue = std::pair<std::string, std::string>;

class Buffered {
 public:
  // `environment` must outlive this.
  explicit Buffered(Environment& environment);
  ~Buffered();

  Result<std::optional<std::string>> get(Table table, std::string_view key) const;
  // Up to `limit` pairs with from <= key < to in key order (an empty `to` is no bound), merged from
  // memory and disk.
  Result<std::vector<KeyValue>> scan(Table table, std::string_view from, std::string_view to,
                                     std::size_t limit) const;
  // The greatest key in the table that is < `below` (an empty `below` is no bound).
  Result<std::optional<KeyValue>> last_before(Table table, std::string_view below) const;
  // The keys on disk whose pairs are damaged; erasing them makes scans pass again. Reads the whole
  // table.
  Result<std::vector<std::string>> damaged_keys(Table table) const;
  void apply(Batch&& batch);
  // Makes everything applied so far durable. Concurrent callers share a transaction. On failure
  // (Code::no_space, Code::io) everything stays readable in memory, and a later commit tries again.
  Status commit();
  // Roughly what waits for a commit; for bounding it.
  std::size_t pending_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weightfs::kv
