// Follows the tensors of a file through the write path: a base for each, and what it becomes for
// others.
//
// One thread at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "block_encoder.h"
#include "resized_tensor.h"
#include "weightfs/file/base_finder.h"

namespace weightfs::file {

// What may predict a block.
struct BlockBase {
  store::BlobId blob = store::BlobId::none;
  std::size_t offset_bytes = 0;  // where the block may lie in a longer one
};

class TensorTracker {
 public:
  TensorTracker(BaseFinder& finder, codec::Tier tier) : finder_(finder), tier_(tier) {}

  // Answers whether the file has tensors for which a base will be looked for.
  bool begin_file(const Layout& layout);
  // Where to cut the extent, by offsets in the file, when its first block is next: along an earlier
  // tensor of which it has the rows, and some more or less. Empty for most.
  std::vector<std::uint64_t> cuts_of(std::size_t extent_index, const Extent& extent,
                                     const ByteSource& source, const IsStored& is_stored);
  // The block of a stored tensor that may predict this one. Looks for the base when it is asked for
  // the first block of an extent.
  BlockBase base_of(const chunk::Block& block, const Extent& extent, const ByteSource& source);
  // Notes where a block was stored; answers the tensor when it is complete and may serve as a base.
  std::optional<BaseFinder::Candidate> note_entry(const chunk::Block& block,
                                                  const EncodedEntry& entry);

 private:
  // A tensor whose blocks are passing by.
  struct Progress {
    similar::TensorSketch sketch;
    std::uint64_t begin_bytes = 0;
    std::uint64_t end_bytes = 0;
    std::uint64_t noted_bytes = 0;  // up to here entries were noted without a gap
    std::uint64_t block_bytes = 0;
    std::optional<BaseTensor> base;
    std::vector<store::BlobId> blobs;
    std::size_t new_count = 0;
    std::size_t whole_count = 0;
  };
  const Tensor* tensor_at(std::uint64_t offset_bytes) const;
  BlockBase planned_base_of(const chunk::Block& block, const Extent& extent) const;
  Progress* begin(const chunk::Block& block, const Extent& extent, const ByteSource& source);

  BaseFinder& finder_;
  const codec::Tier tier_;
  std::map<std::uint64_t, const Tensor*> tensors_;  // of the file, by offset
  std::map<std::size_t, Progress> under_way_;       // by extent
  std::size_t planned_extent_ = 0;
  std::vector<PlannedPiece> plan_;  // of that extent; empty where it is cut as others
};

}  // namespace weightfs::file
