// Who refers to which blob and recipe, and what may be taken apart.
//
// Counts live in tree/; this class is the only one that changes them. A count changes under lock(),
// in the Change that changes what refers (an inode's content, a recipe's chunk), so that at every
// commit counts and references agree. What falls to zero is doomed: noted in the tables, and taken
// apart by Reaper once that is durable.
//
// Lock order: after an inode's lock; before the tree's own. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "weightfs/tree/tree.h"

namespace weightfs::file {

class References {
 public:
  explicit References(tree::Tree& tree) : tree_(tree) {}

  // Held from reading counts until the Change that changes them was applied.
  [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

  // With lock() held, into `change`; a Change must not touch the same count twice.
  Status retain_recipe(tree::Change& change, tree::RecipeId id);
  Status release_recipe(tree::Change& change, tree::RecipeId id);
  // One more reference from a recipe for each entry; `bases` are one more each from a new delta
  // blob.
  Status add_blob_references(tree::Change& change, std::span<const tree::RecipeEntry> entries,
                             std::span<const store::BlobId> bases);
  // One less for each; dooms those that nothing refers to any more.
  Status drop_blob_references(tree::Change& change, std::span<const store::BlobId> ids);

  // A recipe that is being built is doomed in the tables (a crash dooms it) but not taken apart.
  void begin_building(tree::Change& change, tree::RecipeId id);
  void end_building(tree::RecipeId id);

  // Keeps a blob that a lookup found from being erased until unpin(). False where it is too late:
  // the blob must be stored anew.
  Result<bool> pin(store::BlobId id);
  void unpin(std::span<const store::BlobId> ids);

  // For Reaper. Doomed recipes that are not being built, but for those of `except`.
  Result<std::vector<tree::RecipeId>> recipes_to_take_apart(
      std::size_t limit, const std::unordered_set<tree::RecipeId>& except);
  // Doomed blobs without references or pins; they can't be pinned from now on.
  Result<std::vector<store::BlobId>> begin_erasing(std::size_t limit);
  void end_erasing(std::span<const store::BlobId> ids);

 private:
  tree::Tree& tree_;
  std::mutex mutex_;  // protects counts in tree_ and what follows
  std::unordered_set<tree::RecipeId> building_;
  std::unordered_map<store::BlobId, std::uint32_t> pins_;
  std::unordered_set<store::BlobId> erasing_;
};

}  // namespace weightfs::file
