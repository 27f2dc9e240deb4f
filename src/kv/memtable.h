// Changes that wait in memory, ordered by table and key. Private to kv/.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/kv/buffered.h"

namespace weightfs::kv {

// A change's value: nothing is an erased key.
using Change = std::optional<std::string>;
using Rows = std::map<std::string, Change, std::less<>>;

// Not thread-safe.
class Memtable {
 public:
  void apply(Batch::Entry&& entry);
  // Takes those of `older` whose keys have no change here. `older` is empty afterwards.
  void put_under(Memtable&& older);
  // The change of a key; null where there is none.
  const Change* find(Table table, std::string_view key) const;
  // The rows of a table; an empty map where it has none.
  const Rows& rows(Table table) const;
  const std::map<unsigned, Rows>& tables() const { return tables_; }
  bool empty() const { return tables_.empty(); }
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  std::map<unsigned, Rows> tables_;  // by dbi
  std::size_t size_bytes_ = 0;
};

using Row = std::pair<const std::string, Change>;

// Two memtables as one: what `newer` says of a key wins.
class Overlay {
 public:
  Overlay(const Memtable& newer, const Memtable& older) : newer_(newer), older_(older) {}

  const Change* find(Table table, std::string_view key) const;
  // Visits the changes with from <= key < to (an empty `to` is no bound), ascending, until `visit`
  // answers false.
  void ascend(Table table, std::string_view from, std::string_view to,
              const std::function<bool(const Row&)>& visit) const;
  // Visits the changes with key < below (an empty `below` is no bound), descending, likewise.
  void descend(Table table, std::string_view below,
               const std::function<bool(const Row&)>& visit) const;

 private:
  const Memtable& newer_;
  const Memtable& older_;
};

}  // namespace weightfs::kv
