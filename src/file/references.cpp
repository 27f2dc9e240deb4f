#include "weightfs/file/references.h"

#include <map>

namespace weightfs::file {
namespace {

constexpr std::size_t kScanEntries = 1024;

}  // namespace

Status References::retain_recipe(tree::Change& change, tree::RecipeId id) {
  WEIGHTFS_ASSIGN(std::optional<tree::RecipeHeader> header, tree_.recipe(id));
  if (!header) return fail(Code::corrupt, "a recipe is missing");
  ++header->reference_count;
  change.put_recipe(id, *header);
  return {};
}

Status References::release_recipe(tree::Change& change, tree::RecipeId id) {
  WEIGHTFS_ASSIGN(std::optional<tree::RecipeHeader> header, tree_.recipe(id));
  if (!header) return fail(Code::corrupt, "a recipe is missing");
  if (header->reference_count > 0) --header->reference_count;
  change.put_recipe(id, *header);
  if (header->reference_count == 0) change.add_doomed_recipe(id);
  return {};
}

Status References::add_blob_references(tree::Change& change,
                                       std::span<const tree::RecipeEntry> entries,
                                       std::span<const store::BlobId> bases) {
  std::map<store::BlobId, std::uint64_t> added;
  for (const tree::RecipeEntry& entry : entries) {
    if (entry.blob != store::BlobId::none) ++added[entry.blob];
  }
  for (const store::BlobId base : bases) ++added[base];
  for (const auto& [id, count] : added) {
    WEIGHTFS_ASSIGN(const std::uint64_t before, tree_.blob_references(id));
    change.put_blob_references(id, before + count);
    if (before == 0) change.erase_doomed_blob(id);
  }
  return {};
}

Status References::drop_blob_references(tree::Change& change, std::span<const store::BlobId> ids) {
  std::map<store::BlobId, std::uint64_t> dropped;
  for (const store::BlobId id : ids) {
    if (id != store::BlobId::none) ++dropped[id];
  }
  for (const auto& [id, count] : dropped) {
    WEIGHTFS_ASSIGN(const std::uint64_t before, tree_.blob_references(id));
    const std::uint64_t after = before > count ? before - count : 0;
    change.put_blob_references(id, after);
    if (after == 0) change.add_doomed_blob(id);
  }
  return {};
}

void References::begin_building(tree::Change& change, tree::RecipeId id) {
  const std::lock_guard guard(mutex_);
  building_.insert(id);
  change.add_doomed_recipe(id);
}

void References::end_building(tree::RecipeId id) {
  const std::lock_guard guard(mutex_);
  building_.erase(id);
}

Result<bool> References::pin(store::BlobId id) {
  const std::lock_guard guard(mutex_);
  if (erasing_.contains(id)) return false;
  const auto pinned = pins_.find(id);
  if (pinned != pins_.end()) {
    ++pinned->second;
    return true;
  }
  WEIGHTFS_ASSIGN(const std::uint64_t count, tree_.blob_references(id));
  if (count == 0) {
    // A doomed blob can still be kept; others without a reference are on their way out.
    WEIGHTFS_ASSIGN(const tree::Doom doom, tree_.doom_of(id));
    if (doom != tree::Doom::doomed) return false;
  }
  pins_.emplace(id, 1);
  return true;
}

void References::unpin(std::span<const store::BlobId> ids) {
  const std::lock_guard guard(mutex_);
  for (const store::BlobId id : ids) {
    const auto found = pins_.find(id);
    if (found != pins_.end() && --found->second == 0) pins_.erase(found);
  }
}

Result<std::vector<tree::RecipeId>> References::recipes_to_take_apart(
    std::size_t limit, const std::unordered_set<tree::RecipeId>& except) {
  const std::lock_guard guard(mutex_);
  std::vector<tree::RecipeId> found;
  tree::RecipeId after = tree::RecipeId::none;
  while (found.size() < limit) {
    WEIGHTFS_ASSIGN(const std::vector<tree::RecipeId> piece,
                    tree_.doomed_recipes(after, kScanEntries));
    for (const tree::RecipeId id : piece) {
      const bool wanted = !building_.contains(id) && !except.contains(id);
      if (wanted && found.size() < limit) found.push_back(id);
    }
    if (piece.size() < kScanEntries) break;
    after = piece.back();
  }
  return found;
}

Result<std::vector<store::BlobId>> References::begin_erasing(std::size_t limit) {
  const std::lock_guard guard(mutex_);
  std::vector<store::BlobId> found;
  store::BlobId after = store::BlobId::none;
  while (found.size() < limit) {
    WEIGHTFS_ASSIGN(const std::vector<store::BlobId> piece,
                    tree_.doomed_blobs(after, kScanEntries));
    for (const store::BlobId id : piece) {
      if (found.size() == limit || pins_.contains(id) || erasing_.contains(id)) continue;
      WEIGHTFS_ASSIGN(const std::uint64_t count, tree_.blob_references(id));
      if (count == 0) found.push_back(id);
    }
    if (piece.size() < kScanEntries) break;
    after = piece.back();
  }
  erasing_.insert(found.begin(), found.end());
  return found;
}

void References::end_erasing(std::span<const store::BlobId> ids) {
  const std::lock_guard guard(mutex_);
  for (const store::BlobId id : ids) erasing_.erase(id);
}

}  // namespace weightfs::file
