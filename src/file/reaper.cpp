#include "weightfs/file/reaper.h"

#include "weightfs/base/fault.h"
#include "weightfs/base/log.h"

namespace weightfs::file {
namespace {

constexpr std::size_t kRecipesAtOnce = 64;
constexpr std::size_t kChunksAtOnce = 64;
constexpr std::size_t kBlobsAtOnce = 4096;

}  // namespace

Result<Reaper::Progress> Reaper::step() {
  Progress progress;
  WEIGHTFS_ASSIGN(const std::vector<tree::RecipeId> recipes,
                  parts_.references.recipes_to_take_apart(kRecipesAtOnce, damaged_));
  for (const tree::RecipeId id : recipes) {
    Status taken = take_recipe_apart(id, progress);
    if (!taken && taken.error().code == Code::corrupt) {
      log::warning("what recipe {} refers to stays, run weightfs fsck: {}", tree::number(id),
                   taken.error().message);
      damaged_.insert(id);
      continue;
    }
    WEIGHTFS_TRY(std::move(taken));
  }
  if (recipes.size() == kRecipesAtOnce) progress.more = true;
  WEIGHTFS_TRY(erase_blobs(progress));
  return progress;
}

Status Reaper::take_recipe_apart(tree::RecipeId id, Progress& progress) {
  WEIGHTFS_ASSIGN(const std::vector<std::uint64_t> chunks,
                  parts_.tree.recipe_chunk_numbers(id, kChunksAtOnce));
  for (const std::uint64_t chunk : chunks) {
    WEIGHTFS_ASSIGN(const std::vector<tree::RecipeEntry> entries,
                    parts_.tree.recipe_chunk(id, chunk));
    std::vector<store::BlobId> ids;
    for (const tree::RecipeEntry& entry : entries) ids.push_back(entry.blob);
    const auto guard = parts_.references.lock();
    tree::Change change(parts_.tree);
    WEIGHTFS_TRY(parts_.references.drop_blob_references(change, ids));
    change.erase_recipe_chunk(id, chunk);
    parts_.tree.apply(std::move(change));
  }
  if (chunks.size() == kChunksAtOnce) {
    progress.more = true;
    return {};
  }
  tree::Change change(parts_.tree);
  change.erase_recipe(id);
  change.erase_doomed_recipe(id);
  parts_.tree.apply(std::move(change));
  ++progress.recipes;
  return {};
}

Status Reaper::erase_blobs(Progress& progress) {
  WEIGHTFS_ASSIGN(const std::vector<store::BlobId> ids,
                  parts_.references.begin_erasing(kBlobsAtOnce));
  if (ids.empty()) return {};
  const Result<Erasure> erasure = condemn(ids);
  Status erased = erasure ? erase_condemned(ids) : tl::unexpected(erasure.error());
  for (const store::BlobId id : ids) parts_.cache.forget(id);
  parts_.references.end_erasing(ids);
  WEIGHTFS_TRY(std::move(erased));
  progress.blobs += ids.size();
  progress.encoded_bytes += erasure->encoded_bytes;
  progress.more = progress.more || ids.size() == kBlobsAtOnce || erasure->freed_bases;
  return {};
}

// Lets go of the bases before the blobs are erased, and notes that this was done: so at whatever
// point it ends, each base is counted for just those deltas that are there for good.
Result<Reaper::Erasure> Reaper::condemn(const std::vector<store::BlobId>& ids) {
  Erasure erasure;
  std::vector<store::BlobRecord> deltas;
  for (const store::BlobId id : ids) {
    const Result<store::BlobRecord> record = parts_.blobs.record(id);
    if (!record) continue;  // erased before a crash
    erasure.encoded_bytes += record->encoded_bytes;
    if (record->base != store::BlobId::none) deltas.push_back(*record);
  }
  if (deltas.empty()) return erasure;
  std::vector<store::BlobId> bases;
  const auto guard = parts_.references.lock();
  tree::Change change(parts_.tree);
  for (const store::BlobRecord& delta : deltas) {
    WEIGHTFS_ASSIGN(const tree::Doom doom, parts_.tree.doom_of(delta.id));
    if (doom == tree::Doom::condemned) continue;  // before a crash, or a full disk
    change.condemn_blob(delta.id);
    bases.push_back(delta.base);
  }
  WEIGHTFS_TRY(parts_.references.drop_blob_references(change, bases));
  parts_.tree.apply(std::move(change));
  erasure.freed_bases = !bases.empty();
  return erasure;
}

Status Reaper::erase_condemned(const std::vector<store::BlobId>& ids) {
  // No durable metadata may refer to a blob that is gone.
  WEIGHTFS_TRY(parts_.tree.commit());
  WEIGHTFS_FAULT_POINT("reaper.before_erase");
  WEIGHTFS_TRY(parts_.blobs.erase(ids));
  WEIGHTFS_FAULT_POINT("reaper.after_erase");
  const auto guard = parts_.references.lock();
  tree::Change change(parts_.tree);
  for (const store::BlobId id : ids) {
    change.erase_doomed_blob(id);
    parts_.bases.forget(change, id);
  }
  parts_.tree.apply(std::move(change));
  return {};
}

Result<Reaper::Progress> Reaper::survey() const {
  Progress progress;
  WEIGHTFS_ASSIGN(const auto recipes,
                  parts_.tree.doomed_recipes(tree::RecipeId::none, std::size_t{1} << 30));
  progress.recipes = recipes.size();
  WEIGHTFS_ASSIGN(const auto blobs,
                  parts_.tree.doomed_blobs(store::BlobId::none, std::size_t{1} << 30));
  for (const store::BlobId id : blobs) {
    const Result<store::BlobRecord> record = parts_.blobs.record(id);
    if (!record) continue;
    ++progress.blobs;
    progress.encoded_bytes += record->encoded_bytes;
  }
  progress.more = progress.recipes + progress.blobs > 0;
  return progress;
}

Result<Reaper::Progress> Reaper::sweep_unsettled(store::BlobId first_unsettled) {
  Progress progress;
  std::vector<store::BlobId> unknown;
  Status checked;
  WEIGHTFS_TRY(parts_.blobs.for_each(first_unsettled, [&](const store::BlobRecord& record) {
    const Result<std::uint64_t> count = parts_.tree.blob_references(record.id);
    const Result<tree::Doom> doom = parts_.tree.doom_of(record.id);
    if (!count || !doom) {
      checked = tl::unexpected(count ? doom.error() : count.error());
      return false;
    }
    if (*count == 0 && *doom == tree::Doom::none) {
      unknown.push_back(record.id);
      progress.encoded_bytes += record.encoded_bytes;
    }
    return true;
  }));
  WEIGHTFS_TRY(std::move(checked));
  if (!unknown.empty()) WEIGHTFS_TRY(parts_.blobs.erase(unknown));
  progress.blobs = unknown.size();
  return progress;
}

}  // namespace weightfs::file
