#include "resized_tensor.h"

#include <algorithm>

#include "weightfs/chunk/cutter.h"
#include "weightfs/hash/content_id.h"

namespace weightfs::file {
namespace {

// Smaller tensors are not worth a plan, shorter rows not their signatures, and shorter slices not a
// blob.
constexpr std::uint64_t kSmallestTensorBytes = std::uint64_t{32} << 10;
constexpr std::uint64_t kSmallestRowBytes = 64;
constexpr std::uint64_t kSmallestSliceBytes = 4096;
// Rows are told apart by 16 bytes of memory each.
constexpr std::uint64_t kMostRows = std::uint64_t{1} << 24;
// The part of a tensor that the store must hold, for a plan: one in this many bytes.
constexpr std::uint64_t kLeastSharedPart = 4;

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

// Whether pieces of the base, read from the tensor, are blocks that are stored or slices of them.
// Asks until enough of them are.
bool are_stored(const std::vector<PlannedPiece>& pieces, const Extent& extent,
                const ByteSource& source, BaseFinder& finder, const IsStored& is_stored) {
  const std::uint64_t wanted_bytes = extent.length_bytes / kLeastSharedPart;
  std::uint64_t stored_bytes = 0;
  std::uint64_t begin_bytes = 0;
  ByteVector raw;
  ByteVector of_base;
  for (const PlannedPiece& piece : pieces) {
    raw.resize(static_cast<std::size_t>(piece.end_bytes - begin_bytes));
    const std::uint64_t offset_bytes = extent.offset_bytes + begin_bytes;
    begin_bytes = piece.end_bytes;
    if (piece.base == store::BlobId::none) continue;
    if (!source.read_at(offset_bytes, raw)) return false;
    of_base.resize(raw.size());
    const BaseTensor block{
        .block_bytes = chunk::kBlockBytes, .blobs = {piece.base}, .dtype = extent.dtype};
    const bool found =
        is_stored(content_id(raw)) ||
        (finder.read(block, piece.base_offset_bytes, of_base) && std::ranges::equal(raw, of_base));
    if (found) stored_bytes += raw.size();
    if (stored_bytes >= wanted_bytes) return true;
  }
  return false;
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
                                              const Tensor& tensor, const ByteSource& source,
                                              const IsStored& is_stored) {
  const std::uint64_t row_bytes = extent.row_bytes;
  if (extent.length_bytes < kSmallestTensorBytes || row_bytes < kSmallestRowBytes) return {};
  if (extent.length_bytes % row_bytes != 0 || tensor.name.empty()) return {};
  const Rows rows{.dtype = extent.dtype,
                  .row_bytes = row_bytes,
                  .count = extent.length_bytes / row_bytes,
                  .read = [&](std::uint64_t offset_bytes, MutableByteSpan out) {
                    return source.read_at(extent.offset_bytes + offset_bytes, out);
                  }};
  for (const NamesakeTensor& namesake :
       finder.resized(extent, tensor, chunk::tensor_block_bytes(extent))) {
    const Rows base_rows{.dtype = extent.dtype,
                         .row_bytes = row_bytes,
                         .count = namesake.length_bytes / row_bytes,
                         .read = [&](std::uint64_t offset_bytes, MutableByteSpan out) {
                           return finder.read(namesake.tensor, offset_bytes, out);
                         }};
    if (std::max(rows.count, base_rows.count) > kMostRows) continue;
    if (!look_related(rows, base_rows)) continue;
    const auto runs = joined_runs(align_rows(rows.signatures(), base_rows.signatures()));
    auto pieces = pieces_of_runs(extent.length_bytes, row_bytes, namesake.tensor, runs);
    if (are_stored(pieces, extent, source, finder, is_stored)) return pieces;
  }
  return {};
}

}  // namespace weightfs::file
