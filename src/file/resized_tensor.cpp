#include "resized_tensor.h"

#include <algorithm>
#include <functional>

#include "weightfs/chunk/cutter.h"
#include "weightfs/hash/checksum.h"

namespace weightfs::file {
namespace {

// Smaller tensors are not worth a plan, shorter rows not their hashes, and shorter slices not a
// blob.
constexpr std::uint64_t kSmallestTensorBytes = std::uint64_t{32} << 10;
constexpr std::uint64_t kSmallestRowBytes = 64;
constexpr std::uint64_t kSmallestSliceBytes = 4096;
// Rows are told apart by 16 bytes of memory each.
constexpr std::uint64_t kMostRows = std::uint64_t{1} << 24;
constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::size_t kSampledRows = 16;
constexpr std::size_t kLeastEqualSamples = 2;
// Up to here every shift is tried, beyond only the least and the greatest.
constexpr std::uint64_t kMostShifts = 64;
// The part of a tensor that its base must hold, for a plan: one in this many bytes.
constexpr std::uint64_t kLeastSharedPart = 4;

std::uint64_t hash_of_row(ByteSpan row) {
  const std::uint64_t hash = checksum(row);
  return hash == kUnknownRow ? 1 : hash;
}

// Rows of one tensor, wherever it is.
struct Rows {
  std::uint64_t row_bytes = 0;
  std::uint64_t count = 0;
  std::function<Status(std::uint64_t offset_bytes, MutableByteSpan out)> read;

  std::uint64_t hash(std::uint64_t row) const {
    ByteVector bytes(static_cast<std::size_t>(row_bytes));
    return read(row * row_bytes, bytes) ? hash_of_row(bytes) : kUnknownRow;
  }
  std::vector<std::uint64_t> hashes() const;
};

std::vector<std::uint64_t> Rows::hashes() const {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(static_cast<std::size_t>(count));
  const std::uint64_t together = std::max<std::uint64_t>(1, kReadBytes / row_bytes);
  ByteVector bytes;
  for (std::uint64_t row = 0; row < count; row += together) {
    const std::uint64_t rows = std::min(together, count - row);
    bytes.resize(static_cast<std::size_t>(rows * row_bytes));
    const bool known = read(row * row_bytes, bytes).has_value();
    for (std::uint64_t i = 0; i < rows; ++i) {
      // A block that can't be read leaves the rows in the others.
      hashes.push_back(
          known ? hash_of_row(ByteSpan(bytes).subspan(static_cast<std::size_t>(i * row_bytes),
                                                      static_cast<std::size_t>(row_bytes)))
                : hash(row + i));
    }
  }
  return hashes;
}

// Whether one of the rows [begin, end) has this hash.
bool has_row(const Rows& rows, std::uint64_t begin, std::uint64_t end, std::uint64_t hash) {
  for (std::uint64_t row = begin; row < std::min(end, rows.count); ++row) {
    if (rows.hash(row) == hash) return true;
  }
  return false;
}

// Whether sampled rows of the base stand where they would if rows only came, or only went: shifted
// by nothing, by the difference, or between.
bool look_related(const Rows& rows, const Rows& base) {
  const bool grew = rows.count > base.count;
  const std::uint64_t difference = grew ? rows.count - base.count : base.count - rows.count;
  std::size_t equal_count = 0;
  for (std::size_t i = 0; i < kSampledRows; ++i) {
    const std::uint64_t row = i * (base.count - 1) / (kSampledRows - 1);
    const std::uint64_t hash = base.hash(row);
    if (hash == kUnknownRow) continue;
    const std::uint64_t first = grew ? row : row - std::min(row, difference);
    const std::uint64_t last = grew ? row + difference : row;
    const bool found = difference <= kMostShifts ? has_row(rows, first, last + 1, hash)
                                                 : has_row(rows, first, first + 1, hash) ||
                                                       has_row(rows, last, last + 1, hash);
    if (found && ++equal_count >= kLeastEqualSamples) return true;
  }
  return false;
}

// Collects pieces; what has no base is cut into blocks when its end is known.
class PieceList {
 public:
  explicit PieceList(std::uint64_t block_bytes) : block_bytes_(block_bytes) {}

  void add(std::uint64_t begin_bytes, const PlannedPiece& piece) {
    add_new_bytes(begin_bytes);
    pieces_.push_back(piece);
    covered_bytes_ = piece.end_bytes;
  }
  std::vector<PlannedPiece> finish(std::uint64_t length_bytes) {
    add_new_bytes(length_bytes);
    return std::move(pieces_);
  }

 private:
  void add_new_bytes(std::uint64_t end_bytes) {
    while (covered_bytes_ < end_bytes) {
      covered_bytes_ = std::min(covered_bytes_ + block_bytes_, end_bytes);
      pieces_.push_back({.end_bytes = covered_bytes_});
    }
  }

  const std::uint64_t block_bytes_;
  std::uint64_t covered_bytes_ = 0;
  std::vector<PlannedPiece> pieces_;
};

bool is_worth_it(const std::vector<PlannedPiece>& pieces, std::uint64_t length_bytes) {
  std::uint64_t shared_bytes = 0;
  std::uint64_t begin_bytes = 0;
  for (const PlannedPiece& piece : pieces) {
    if (piece.base != store::BlobId::none) shared_bytes += piece.end_bytes - begin_bytes;
    begin_bytes = piece.end_bytes;
  }
  return shared_bytes >= length_bytes / kLeastSharedPart;
}

}  // namespace

std::vector<PlannedPiece> pieces_of_runs(std::uint64_t length_bytes, std::uint64_t row_bytes,
                                         const BaseTensor& base, std::span<const RowRun> runs) {
  PieceList pieces(base.block_bytes);
  for (const RowRun& run : runs) {
    std::uint64_t position = run.row * row_bytes;
    std::uint64_t base_position = run.base_row * row_bytes;
    const std::uint64_t end = position + run.count * row_bytes;
    while (position < end) {
      const std::uint64_t index = base_position / base.block_bytes;
      if (index >= base.blobs.size()) break;
      const std::uint64_t offset = base_position % base.block_bytes;
      const std::uint64_t length = std::min(end - position, base.block_bytes - offset);
      const store::BlobId blob = base.blobs[static_cast<std::size_t>(index)];
      if (blob != store::BlobId::none && length >= kSmallestSliceBytes) {
        pieces.add(position, {.end_bytes = position + length,
                              .base = blob,
                              .base_offset_bytes = static_cast<std::size_t>(offset)});
      }
      position += length;
      base_position += length;
    }
  }
  return pieces.finish(length_bytes);
}

std::vector<PlannedPiece> plan_resized_tensor(BaseFinder& finder, const Extent& extent,
                                              const Tensor& tensor, const ByteSource& source) {
  const std::uint64_t row_bytes = extent.row_bytes;
  if (extent.length_bytes < kSmallestTensorBytes || row_bytes < kSmallestRowBytes) return {};
  if (extent.length_bytes % row_bytes != 0 || tensor.name.empty()) return {};
  const Rows rows{.row_bytes = row_bytes,
                  .count = extent.length_bytes / row_bytes,
                  .read = [&](std::uint64_t offset_bytes, MutableByteSpan out) {
                    return source.read_at(extent.offset_bytes + offset_bytes, out);
                  }};
  for (const NamesakeTensor& namesake :
       finder.namesakes(extent, tensor, chunk::tensor_block_bytes(extent))) {
    const Rows base_rows{.row_bytes = row_bytes,
                         .count = namesake.length_bytes / row_bytes,
                         .read = [&](std::uint64_t offset_bytes, MutableByteSpan out) {
                           return finder.read(namesake.tensor, offset_bytes, out);
                         }};
    if (namesake.length_bytes % row_bytes != 0) continue;
    if (std::max(rows.count, base_rows.count) > kMostRows) continue;
    if (!look_related(rows, base_rows)) continue;
    const std::vector<RowRun> runs = align_rows(rows.hashes(), base_rows.hashes());
    auto pieces = pieces_of_runs(extent.length_bytes, row_bytes, namesake.tensor, runs);
    if (is_worth_it(pieces, extent.length_bytes)) return pieces;
  }
  return {};
}

}  // namespace weightfs::file
