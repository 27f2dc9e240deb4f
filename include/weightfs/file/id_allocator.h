// New numbers for inodes, recipes, staging files and blobs; none is ever given twice.
//
// Numbers are reserved in the store's counters before they are used, so a crash skips some.
// Thread-safe.
#pragma once

#include <mutex>

#include "weightfs/tree/tree.h"

namespace weightfs::file {

class IdAllocator {
 public:
  // `last_blob`: the greatest blob id in the blob store.
  static Result<std::unique_ptr<IdAllocator>> open(tree::Tree& tree, store::BlobId last_blob);

  tree::InodeNumber next_inode();
  tree::RecipeId next_recipe();
  tree::StagingId next_staging();
  store::BlobId next_blob();
  // Every blob below `id` is referred to, or doomed, by changes that were applied before this call.
  void blobs_are_settled_below(store::BlobId id);
  // Applies to the tree what is known of settled blobs; before every commit. `exact`: gives back
  // the numbers that were only reserved, at a clean end.
  void save(bool exact);

 private:
  explicit IdAllocator(tree::Tree& tree) : tree_(tree) {}
  std::uint64_t take(std::uint64_t tree::Counters::*counter);

  tree::Tree& tree_;
  std::mutex mutex_;  // protects what follows; before the tree's own locks
  tree::Counters next_;
  tree::Counters reserved_;
  std::uint64_t next_blob_ = 1;
};

}  // namespace weightfs::file
