// Which rows of a tensor are rows of an earlier one: an embedding that grew, a layer that lost
// filters.
//
// By equal signatures of rows (row_signatures.h). What follows from a wrong match is a block that
// is not found, never a wrong byte: blocks are looked up by their own content.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weightfs::file {

// Stands for a row whose bytes are not known; it equals none.
constexpr std::uint64_t kUnknownRow = 0;

// `count` rows from `row` on are the base's from `base_row` on.
struct RowRun {
  std::size_t row = 0;
  std::size_t base_row = 0;
  std::size_t count = 0;
  bool operator==(const RowRun&) const = default;
};

// The runs in ascending order of `row`, without overlap there; the base's rows may come in any
// order. A run begins at a row that the base has once, and takes what equals before and behind it:
// linear in the number of rows. Thread-safe.
std::vector<RowRun> align_rows(std::span<const std::uint64_t> rows,
                               std::span<const std::uint64_t> base_rows);

// The same with runs made one that go on from each other in both but for rows that differ.
std::vector<RowRun> joined_runs(const std::vector<RowRun>& runs);

}  // namespace weightfs::file
