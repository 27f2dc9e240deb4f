#include "resized_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

namespace weightfs::file {
namespace {

using Rows = std::vector<std::uint64_t>;

Rows numbered(std::size_t count, std::uint64_t first = 1) {
  Rows rows(count);
  std::iota(rows.begin(), rows.end(), first);
  return rows;
}

bool operator==(const PlannedPiece& a, const PlannedPiece& b) {
  return a.end_bytes == b.end_bytes && a.base == b.base &&
         a.base_offset_bytes == b.base_offset_bytes;
}

TEST(AlignRows, FindsBothSidesOfAnInsertion) {
  const Rows base = numbered(100);
  Rows rows = base;
  rows.insert(rows.begin() + 40, {1001, 1002, 1003});
  EXPECT_EQ(align_rows(rows, base), (std::vector<RowRun>{{0, 0, 40}, {43, 40, 60}}));
}

TEST(AlignRows, FindsWhatRemainsAfterLosses) {
  const Rows base = numbered(64);
  Rows rows = base;
  rows.erase(rows.begin() + 50);
  rows.erase(rows.begin() + 20, rows.begin() + 22);
  EXPECT_EQ(align_rows(rows, base), (std::vector<RowRun>{{0, 0, 20}, {20, 22, 28}, {48, 51, 13}}));
}

TEST(AlignRows, TakesRepeatedRowsAlongWithTheirNeighbours) {
  const Rows base = {7, 7, 7, 1, 2, 7, 7};
  const Rows rows = {9, 7, 7, 1, 2, 7, 7};
  EXPECT_EQ(align_rows(rows, base), (std::vector<RowRun>{{1, 1, 6}}));
}

TEST(AlignRows, KnowsNothingOfUnknownRows) {
  const Rows base = {kUnknownRow, 1, kUnknownRow};
  EXPECT_EQ(align_rows(base, base), (std::vector<RowRun>{{1, 1, 1}}));
  EXPECT_TRUE(align_rows(numbered(10), numbered(10, 500)).empty());
}

// The law: runs are in order, don't overlap, and hold equal rows.
TEST(AlignRows, GivesEqualRowsOnly) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    Rows base(random() % 60 + 1);
    for (std::uint64_t& row : base) row = random() % 40;
    Rows rows = base;
    for (int edit = 0; edit < 6; ++edit) {
      const std::size_t at = random() % rows.size();
      if (random() % 2 == 0 && rows.size() > 1)
        rows.erase(rows.begin() + static_cast<long>(at));
      else
        rows.insert(rows.begin() + static_cast<long>(at), random() % 50);
    }
    std::size_t end = 0;
    for (const RowRun& run : align_rows(rows, base)) {
      EXPECT_GE(run.row, end);
      EXPECT_GT(run.count, 0u);
      end = run.row + run.count;
      ASSERT_LE(end, rows.size());
      ASSERT_LE(run.base_row + run.count, base.size());
      for (std::size_t i = 0; i < run.count; ++i) {
        EXPECT_EQ(rows[run.row + i], base[run.base_row + i]);
        EXPECT_NE(rows[run.row + i], kUnknownRow);
      }
    }
  }
}

TEST(JoinedRuns, BridgesRowsThatChanged) {
  const std::vector<RowRun> runs = {{0, 0, 10}, {12, 12, 5}, {20, 17, 4}, {25, 22, 1}, {40, 3, 2}};
  EXPECT_EQ(joined_runs(runs), (std::vector<RowRun>{{0, 0, 17}, {20, 17, 6}, {40, 3, 2}}));
}

TEST(RowSignature, StaysWhileValuesMoveButNotWhereRowsDiffer) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> row(100);
  for (float& value : row) value = normal(random);
  std::vector<float> moved = row;
  for (float& value : moved) value *= 1.01F;
  const auto signature = [](const std::vector<float>& values) {
    return row_signature(bytes_of_elements(std::span<const float>(values)), Dtype::f32);
  };
  EXPECT_EQ(signature(row), signature(moved));
  std::vector<float> other = row;
  other[3] = -other[3];
  EXPECT_NE(signature(row), signature(other));
  // Without signs, by all bytes.
  for (float& value : row) value = std::abs(value);
  std::vector<float> last_moved = row;
  last_moved.back() += 1;
  EXPECT_NE(signature(row), signature(last_moved));
  EXPECT_NE(signature(std::vector<float>(100)), kUnknownRow);
}

// Rows of 1 KiB in blocks of 64 rows.
constexpr std::uint64_t kRow = 1024;
constexpr std::uint64_t kBlock = 64 * kRow;
const BaseTensor kBase = {.block_bytes = kBlock,
                          .blobs = {store::BlobId{1}, store::BlobId{2}, store::BlobId{3}}};

TEST(PiecesOfRuns, CutsAlongTheBlocksOfTheBase) {
  // 8 rows came in at row 100 of 192.
  const std::vector<RowRun> runs = {{0, 0, 100}, {108, 100, 92}};
  const auto pieces = pieces_of_runs(200 * kRow, kRow, kBase, runs);
  const std::vector<PlannedPiece> expected = {{64 * kRow, store::BlobId{1}, 0},
                                              {100 * kRow, store::BlobId{2}, 0},
                                              {108 * kRow, store::BlobId::none, 0},
                                              {136 * kRow, store::BlobId{2}, 36 * kRow},
                                              {200 * kRow, store::BlobId{3}, 0}};
  ASSERT_EQ(pieces.size(), expected.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) EXPECT_TRUE(pieces[i] == expected[i]) << i;
}

TEST(PiecesOfRuns, CutsNewRowsIntoBlocksAndTakesNoTinySlices) {
  const std::vector<RowRun> runs = {{0, 0, 1}, {200, 10, 3}};  // of one and three rows
  std::uint64_t begin = 0;
  for (const PlannedPiece& piece : pieces_of_runs(210 * kRow, kRow, kBase, runs)) {
    EXPECT_GT(piece.end_bytes, begin);
    EXPECT_LE(piece.end_bytes - begin, kBlock);
    EXPECT_EQ(piece.base, store::BlobId::none);
    begin = piece.end_bytes;
  }
  EXPECT_EQ(begin, 210 * kRow);
}

}  // namespace
}  // namespace weightfs::file
