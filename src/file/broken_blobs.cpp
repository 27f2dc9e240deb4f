#include "weightfs/file/broken_blobs.h"

namespace weightfs::file {

Result<std::unique_ptr<BrokenBlobs>> BrokenBlobs::open(tree::Tree& tree) {
  std::unique_ptr<BrokenBlobs> broken(new BrokenBlobs(tree));
  WEIGHTFS_ASSIGN(const std::vector<store::BlobId> ids, tree.broken_blobs());
  broken->ids_.insert(ids.begin(), ids.end());
  return broken;
}

void BrokenBlobs::mark(store::BlobId id) {
  const std::lock_guard guard(mutex_);
  if (!ids_.insert(id).second) return;
  tree::Change change(tree_);
  change.add_broken_blob(id);
  tree_.apply(std::move(change));
}

void BrokenBlobs::mark_healed(store::BlobId id) {
  const std::lock_guard guard(mutex_);
  if (ids_.erase(id) == 0) return;
  tree::Change change(tree_);
  change.erase_broken_blob(id);
  tree_.apply(std::move(change));
}

bool BrokenBlobs::contains(store::BlobId id) const {
  const std::lock_guard guard(mutex_);
  return ids_.contains(id);
}

}  // namespace weightfs::file
