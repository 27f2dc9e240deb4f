#include "weightfs/chunk/cutter.h"

#include <algorithm>

#include "weightfs/chunk/fastcdc.h"

namespace weightfs::chunk {
namespace {

constexpr std::uint64_t kSmallestRowBytes = 4096;

std::uint64_t whole_multiple(std::uint64_t of) {
  return kBlockBytes / of * of;
}

}  // namespace

std::uint64_t tensor_block_bytes(const Extent& extent) {
  if (extent.dtype == Dtype::opaque) return 0;
  const std::uint64_t unit_blocks = whole_multiple(dtype_layout(extent.dtype).unit_bytes);
  const std::uint64_t row = extent.row_bytes;
  if (row < kSmallestRowBytes || row > kBlockBytes) return unit_blocks;
  const std::uint64_t row_blocks = whole_multiple(row);
  return row_blocks >= kBlockBytes - kBlockBytes / 8 ? row_blocks : unit_blocks;
}

std::uint64_t Cutter::extent_end_bytes() const {
  return extent().offset_bytes + extent().length_bytes;
}

std::uint64_t Cutter::known_length_bytes() const {
  const auto cut = std::ranges::upper_bound(cuts_, position_bytes_);
  if (cut != cuts_.end()) return *cut - position_bytes_;
  const std::uint64_t block_bytes = tensor_block_bytes(extent());
  return std::min(block_bytes, extent_end_bytes() - position_bytes_);
}

Block Cutter::next(ByteSpan window) const {
  const std::uint64_t left = extent_end_bytes() - position_bytes_;
  Block block{.offset_bytes = position_bytes_,
              .length_bytes = known_length_bytes(),
              .dtype = extent().dtype,
              .extent_index = extent_index_};
  if (block.length_bytes > 0) {
    if (block.length_bytes > window.size()) block.length_bytes = 0;
    return block;
  }
  const ByteSpan bytes =
      window.first(static_cast<std::size_t>(std::min<std::uint64_t>(window.size(), left)));
  if (bytes.size() < left && bytes.size() < kMaximumPieceBytes) return block;
  block.length_bytes = first_piece_bytes(bytes);
  return block;
}

void Cutter::advance(std::uint64_t length_bytes) {
  position_bytes_ = std::min(position_bytes_ + length_bytes, extent_end_bytes());
  if (position_bytes_ != extent_end_bytes()) return;
  ++extent_index_;
  cuts_.clear();
}

}  // namespace weightfs::chunk
