// From a layout to blocks: tensors at fixed lengths from their own start, opaque bytes by content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::chunk {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;

// A piece of one extent.
struct Block {
  std::uint64_t offset_bytes = 0;  // in the file
  std::uint64_t length_bytes = 0;
  Dtype dtype = Dtype::opaque;
  std::size_t extent_index = 0;
};

// How long every block of a tensor's extent is but its last: whole units, at most kBlockBytes, and
// whole rows where a row is at least 4 KiB and divides into it at a loss of at most an eighth (so
// that a tensor that gains or loses rows keeps its cuts). 0 for opaque extents.
std::uint64_t tensor_block_bytes(const Extent& extent);

// Walks a layout from its start. Single-threaded; borrows the layout.
class Cutter {
 public:
  explicit Cutter(const Layout& layout) : layout_(&layout) {}

  bool at_end() const { return extent_index_ == layout_->extents.size(); }
  std::uint64_t position_bytes() const { return position_bytes_; }
  const Extent& extent() const { return layout_->extents[extent_index_]; }
  std::size_t extent_index() const { return extent_index_; }
  std::uint64_t extent_end_bytes() const;
  // Cuts the current extent, at whose start the cutter stands, at these offsets in the file
  // instead: ascending, at most kBlockBytes apart, the last one the extent's end.
  void set_cuts(std::vector<std::uint64_t> cuts) { cuts_ = std::move(cuts); }
  bool at_extent_start() const { return position_bytes_ == extent().offset_bytes; }
  // The next block, given the file's bytes from position_bytes() on. A block that could end behind
  // the window is given only when the window has kBlockBytes or reaches the end of the extent;
  // otherwise the length is 0, and a longer window is needed.
  Block next(ByteSpan window) const;
  // The length of the next block where that is known without the bytes (tensors), else 0.
  std::uint64_t known_length_bytes() const;
  // Goes past `length_bytes` of the current extent, at most to its end.
  void advance(std::uint64_t length_bytes);

 private:
  const Layout* layout_;
  std::size_t extent_index_ = 0;
  std::uint64_t position_bytes_ = 0;
  std::vector<std::uint64_t> cuts_;  // of the current extent; empty where nobody set any
};

}  // namespace weightfs::chunk
