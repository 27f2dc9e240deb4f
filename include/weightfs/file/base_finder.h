// Finds, for a tensor that comes in, the stored tensor that predicts it best.
//
// Remembers the sketch of every tensor whose blocks are stored whole, under the id of its first
// blob, in the tables and in memory. A record may outlive some of its blobs: whoever uses one pins
// it. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "weightfs/base/source.h"
#include "weightfs/file/block_cache.h"
#include "weightfs/similar/sketch_index.h"
#include "weightfs/tensor/layout.h"
#include "weightfs/tree/tree.h"

namespace weightfs::file {

// Blocks of a stored tensor, for deltas: block i of the new tensor against blobs[i].
struct BaseTensor {
  std::uint64_t block_bytes = 0;
  std::vector<store::BlobId> blobs;
  Dtype dtype = Dtype::opaque;
};

// A stored tensor of the same name and dtype as another, with as long rows and more or fewer of
// them.
struct NamesakeTensor {
  BaseTensor tensor;
  std::uint64_t length_bytes = 0;
};

class BaseFinder {
 public:
  static Result<std::unique_ptr<BaseFinder>> open(tree::Tree& tree, BlockCache& cache);

  // The sketch of a tensor's extent, or of the floats that quantized blocks stand for; nothing for
  // extents of another dtype, too small to be worth it, or that can't be read. `tensor` names it
  // and may be null.
  std::optional<similar::TensorSketch> sketch(const Extent& extent, const Tensor* tensor,
                                              const ByteSource& source) const;
  // The base that saves most, if one saves enough. It has the extent's dtype and is cut as that is,
  // or it has a dtype of which the extent's is a function (codec/derivation.h) and has as many
  // elements.
  std::optional<BaseTensor> find(const similar::TensorSketch& sketch, const Extent& extent,
                                 std::uint64_t block_bytes, const ByteSource& source,
                                 codec::Tier tier);

  // What was stored last under the name of this tensor with another number of rows, and cut into
  // blocks of `block_bytes`; at most a few. Reads no block.
  std::vector<NamesakeTensor> resized(const Extent& extent, const Tensor& tensor,
                                      std::uint64_t block_bytes) const;
  // Bytes of a stored tensor; an error where a block is not there or can't be read.
  Status read(const BaseTensor& tensor, std::uint64_t offset_bytes, MutableByteSpan out);

  struct Candidate {
    similar::TensorSketch sketch;
    tree::BaseRecord record;
  };
  // Remembers a tensor that was stored: in `change`, and in memory once remember() is called.
  static void put(tree::Change& change, const Candidate& candidate);
  void remember(const Candidate& candidate);
  // The tensor whose first blob this was is not whole any more.
  void forget(tree::Change& change, store::BlobId blob);

 private:
  BaseFinder(tree::Tree& tree, BlockCache& cache) : tree_(tree), cache_(cache) {}
  Status read_stored(std::uint64_t id, std::uint64_t offset_bytes, MutableByteSpan out);

  tree::Tree& tree_;
  BlockCache& cache_;
  similar::SketchIndex index_;
};

}  // namespace weightfs::file
