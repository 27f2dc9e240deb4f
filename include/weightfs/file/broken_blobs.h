// Blobs whose bytes turned out to be wrong, so that the next write of the same content heals them.
// Kept across restarts. Thread-safe.
#pragma once

#include <mutex>
#include <unordered_set>

#include "weightfs/tree/tree.h"

namespace weightfs::file {

class BrokenBlobs {
 public:
  static Result<std::unique_ptr<BrokenBlobs>> open(tree::Tree& tree);

  void mark(store::BlobId id);
  void mark_healed(store::BlobId id);
  bool contains(store::BlobId id) const;

 private:
  explicit BrokenBlobs(tree::Tree& tree) : tree_(tree) {}

  tree::Tree& tree_;
  mutable std::mutex mutex_;  // protects ids_; before the tree's own locks
  std::unordered_set<store::BlobId> ids_;
};

}  // namespace weightfs::file
