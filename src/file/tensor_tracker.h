// Follows the tensors of a file through the write path: a base for each, and what it becomes for
// others.
//
// One thread at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "block_encoder.h"
#include "derived_tensor.h"
#include "resized_tensor.h"
#include "weightfs/file/base_finder.h"

namespace weightfs::file {

// What may predict a block.
struct BlockBase {
  store::BlobId blob = store::BlobId::none;
  Dtype dtype = Dtype::opaque;
  std::size_t offset_bytes = 0;  // where the block, or its source, may lie in a longer one
};

// What the store holds of the bytes that are to be cut.
struct KnownCuts {
  IsStored is_stored;
  // Whether the extent's first block, cut as those of most tensors, is taken over from before.
  bool is_taken_over = false;
};

class TensorTracker {
 public:
  TensorTracker(BaseFinder& finder, codec::Tier tier) : finder_(finder), tier_(tier) {}

  // Answers whether the file has tensors for which a base will be looked for.
  bool begin_file(const Layout& layout);
  // Where to cut the extent, by offsets in the file, when its first block is next: along an earlier
  // tensor of which it has the rows, and some more or less, or of which it is a cast. Empty for
  // most.
  std::vector<std::uint64_t> cuts_of(std::size_t extent_index, const Extent& extent,
                                     const ByteSource& source, const KnownCuts& known);
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
  // What was found out of an extent before its first block.
  struct Search {
    std::optional<similar::TensorSketch> sketch;
    std::optional<BaseTensor> base;
  };
  const Tensor* tensor_at(std::uint64_t offset_bytes) const;
  Search search(const Extent& extent, const ByteSource& source) const;
  std::vector<PlannedPiece> plan(const Extent& extent, const ByteSource& source,
                                 const KnownCuts& known);
  BlockBase planned_base_of(const chunk::Block& block, const Extent& extent) const;
  Progress* begin(const chunk::Block& block, const Extent& extent, const ByteSource& source);

  BaseFinder& finder_;
  const codec::Tier tier_;
  std::map<std::uint64_t, const Tensor*> tensors_;  // of the file, by offset
  std::map<std::size_t, Progress> under_way_;       // by extent
  std::size_t planned_extent_ = 0;
  std::vector<PlannedPiece> plan_;    // of that extent; empty where it is cut as others
  Dtype plan_dtype_ = Dtype::opaque;  // of the tensor along which it is cut
  std::optional<Search> search_;      // of that extent, if there was one
};

}  // namespace weightfs::file
