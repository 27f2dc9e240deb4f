// Which dtype each blob's bytes have, as the layouts of the files that refer to it say: blobs
// themselves don't tell.
#pragma once

#include <vector>

#include "weightfs/tree/tree.h"

namespace weightfs::ops {

// A byte for each id of [first, first + count). Constant once it is built.
class BlobDtypes {
 public:
  // Walks all recipes. Those that are damaged, or change meanwhile, leave their blobs opaque.
  static Result<BlobDtypes> collect(const tree::Tree& tree, store::BlobId first,
                                    std::uint64_t count);

  // Opaque where no layout says more.
  Dtype of(store::BlobId id) const;

 private:
  BlobDtypes(store::BlobId first, std::uint64_t count)
      : first_(store::number(first)), dtypes_(count, Dtype::opaque) {}
  void add(const Layout& layout, std::uint64_t offset_bytes,
           const std::vector<tree::RecipeEntry>& entries);

  std::uint64_t first_;
  std::vector<Dtype> dtypes_;
};

}  // namespace weightfs::ops
