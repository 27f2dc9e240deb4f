#include "row_alignment.h"

#include <unordered_map>

namespace weightfs::file {
namespace {

constexpr std::size_t kRepeated = ~std::size_t{0};

// Where each row stands that is there once.
std::unordered_map<std::uint64_t, std::size_t> index_rows(std::span<const std::uint64_t> rows) {
  std::unordered_map<std::uint64_t, std::size_t> index;
  index.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [known, is_new] = index.emplace(rows[i], i);
    if (!is_new) known->second = kRepeated;
  }
  return index;
}

}  // namespace

std::vector<RowRun> align_rows(std::span<const std::uint64_t> rows,
                               std::span<const std::uint64_t> base_rows) {
  const auto index = index_rows(base_rows);
  std::vector<RowRun> runs;
  const auto equal = [&](std::size_t row, std::size_t base_row) {
    return rows[row] == base_rows[base_row] && rows[row] != kUnknownRow;
  };
  std::size_t free_from = 0;  // rows before belong to a run
  for (std::size_t row = 0; row < rows.size();) {
    const auto anchor = index.find(rows[row]);
    if (anchor == index.end() || anchor->second == kRepeated || rows[row] == kUnknownRow) {
      ++row;
      continue;
    }
    RowRun run{.row = row, .base_row = anchor->second, .count = 1};
    while (run.row > free_from && run.base_row > 0 && equal(run.row - 1, run.base_row - 1)) {
      --run.row;
      --run.base_row;
      ++run.count;
    }
    while (run.row + run.count < rows.size() && run.base_row + run.count < base_rows.size() &&
           equal(run.row + run.count, run.base_row + run.count)) {
      ++run.count;
    }
    runs.push_back(run);
    row = free_from = run.row + run.count;
  }
  return runs;
}

std::vector<RowRun> joined_runs(const std::vector<RowRun>& runs) {
  std::vector<RowRun> joined;
  for (const RowRun& run : runs) {
    const bool goes_on = !joined.empty() && run.base_row >= joined.back().base_row &&
                         run.base_row - joined.back().base_row == run.row - joined.back().row;
    if (goes_on) {
      joined.back().count = run.row + run.count - joined.back().row;
    } else {
      joined.push_back(run);
    }
  }
  return joined;
}

}  // namespace weightfs::file
