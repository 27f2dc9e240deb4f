// Takes apart what nothing refers to any more: doomed recipes, then the blobs that only they had.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "weightfs/file/base_finder.h"
#include "weightfs/file/block_cache.h"
#include "weightfs/file/references.h"
#include "weightfs/store/blob_store.h"
#include "weightfs/tree/tree.h"

namespace weightfs::file {

class Reaper {
 public:
  struct Parts {
    tree::Tree& tree;
    store::BlobStore& blobs;
    References& references;
    BlockCache& cache;
    BaseFinder& bases;
  };
  explicit Reaper(const Parts& parts) : parts_(parts) {}

  struct Progress {
    std::uint64_t recipes = 0;
    std::uint64_t blobs = 0;
    std::uint64_t encoded_bytes = 0;
    bool more = false;  // there is more to do
  };
  // A bounded piece of the work. Commits the tree where blobs are erased. Recipes that can't be
  // read are passed over with a warning.
  Result<Progress> step();
  // What is doomed now, without touching it.
  Result<Progress> survey() const;
  // After a crash: erases blobs from `first_unsettled` on that nothing refers to.
  Result<Progress> sweep_unsettled(store::BlobId first_unsettled);

 private:
  struct Erasure {
    std::uint64_t encoded_bytes = 0;
    bool freed_bases = false;  // which may be doomed by it
  };

  Status take_recipe_apart(tree::RecipeId id, Progress& progress);
  Status erase_blobs(Progress& progress);
  Result<Erasure> condemn(const std::vector<store::BlobId>& ids);
  Status erase_condemned(const std::vector<store::BlobId>& ids);

  Parts parts_;
  std::unordered_set<tree::RecipeId> damaged_;  // passed over: fsck tells of them
};

}  // namespace weightfs::file
