#include "memtable.h"

#include <iterator>

namespace weightfs::kv {
namespace {

// A map's node, the strings' headers and the allocator's, so that many small rows are bounded too.
constexpr std::size_t kRowOverheadBytes = 128;

std::size_t size_of(const Change& change) {
  return change ? change->size() : 0;
}

// Visits the rows of two sorted ranges in order; of two rows with one key, only the first range's.
template <class Iterator, class Before, class Visit>
void merge_rows(Iterator first, Iterator first_end, Iterator second, Iterator second_end,
                const Before& before, const Visit& visit) {
  while (first != first_end || second != second_end) {
    const bool take_second =
        first == first_end || (second != second_end && before(second->first, first->first));
    if (!take_second && second != second_end && second->first == first->first) ++second;
    if (!visit(take_second ? *second++ : *first++)) return;
  }
}

Rows::const_iterator bound(const Rows& rows, std::string_view below) {
  return below.empty() ? rows.end() : rows.lower_bound(below);
}

}  // namespace

void Memtable::apply(Batch::Entry&& entry) {
  Rows& rows = tables_[entry.table.dbi];
  const auto [row, is_new] = rows.try_emplace(std::move(entry.key));
  if (is_new) size_bytes_ += kRowOverheadBytes + row->first.size();
  size_bytes_ = size_bytes_ - size_of(row->second) + size_of(entry.value);
  row->second = std::move(entry.value);
}

void Memtable::put_under(Memtable&& older) {
  for (auto& [dbi, rows] : older.tables_) {
    for (auto& [key, change] : rows) {
      const Table table{dbi};
      if (find(table, key) == nullptr) apply({table, key, std::move(change)});
    }
  }
  older = {};
}

const Change* Memtable::find(Table table, std::string_view key) const {
  const Rows& found = rows(table);
  const auto row = found.find(key);
  return row == found.end() ? nullptr : &row->second;
}

const Rows& Memtable::rows(Table table) const {
  static const Rows kNone;
  const auto found = tables_.find(table.dbi);
  return found == tables_.end() ? kNone : found->second;
}

const Change* Overlay::find(Table table, std::string_view key) const {
  const Change* change = newer_.find(table, key);
  return change != nullptr ? change : older_.find(table, key);
}

void Overlay::ascend(Table table, std::string_view from, std::string_view to,
                     const std::function<bool(const Row&)>& visit) const {
  const Rows& newer = newer_.rows(table);
  const Rows& older = older_.rows(table);
  merge_rows(newer.lower_bound(from), newer.end(), older.lower_bound(from), older.end(),
             std::less<>(),
             [&](const Row& row) { return (to.empty() || row.first < to) && visit(row); });
}

void Overlay::descend(Table table, std::string_view below,
                      const std::function<bool(const Row&)>& visit) const {
  const Rows& newer = newer_.rows(table);
  const Rows& older = older_.rows(table);
  using Reverse = std::reverse_iterator<Rows::const_iterator>;
  merge_rows(Reverse(bound(newer, below)), newer.rend(), Reverse(bound(older, below)), older.rend(),
             std::greater<>(), visit);
}

}  // namespace weightfs::kv
