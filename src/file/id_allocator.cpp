#include "weightfs/file/id_allocator.h"

#include <algorithm>

namespace weightfs::file {
namespace {

constexpr std::uint64_t kReservedAtOnce = 4096;

}  // namespace

Result<std::unique_ptr<IdAllocator>> IdAllocator::open(tree::Tree& tree, store::BlobId last_blob) {
  std::unique_ptr<IdAllocator> allocator(new IdAllocator(tree));
  WEIGHTFS_ASSIGN(allocator->next_, tree.counters());
  allocator->reserved_ = allocator->next_;
  allocator->next_blob_ =
      std::max(allocator->next_.first_unsettled_blob, store::number(last_blob) + 1);
  return allocator;
}

std::uint64_t IdAllocator::take(std::uint64_t tree::Counters::*counter) {
  const std::lock_guard guard(mutex_);
  if (next_.*counter >= reserved_.*counter) {
    reserved_.*counter = next_.*counter + kReservedAtOnce;
    tree::Change change(tree_);
    change.put_counters(reserved_);
    tree_.apply(std::move(change));
  }
  return (next_.*counter)++;
}

tree::InodeNumber IdAllocator::next_inode() {
  return take(&tree::Counters::next_inode);
}

tree::RecipeId IdAllocator::next_recipe() {
  return static_cast<tree::RecipeId>(take(&tree::Counters::next_recipe));
}

tree::StagingId IdAllocator::next_staging() {
  return static_cast<tree::StagingId>(take(&tree::Counters::next_staging));
}

store::BlobId IdAllocator::next_blob() {
  const std::lock_guard guard(mutex_);
  return static_cast<store::BlobId>(next_blob_++);
}

void IdAllocator::blobs_are_settled_below(store::BlobId id) {
  const std::lock_guard guard(mutex_);
  reserved_.first_unsettled_blob = std::max(reserved_.first_unsettled_blob, store::number(id));
}

void IdAllocator::save(bool exact) {
  const std::lock_guard guard(mutex_);
  if (exact) {
    reserved_.next_inode = next_.next_inode;
    reserved_.next_recipe = next_.next_recipe;
    reserved_.next_staging = next_.next_staging;
  }
  tree::Change change(tree_);
  change.put_counters(reserved_);
  tree_.apply(std::move(change));
}

}  // namespace weightfs::file
