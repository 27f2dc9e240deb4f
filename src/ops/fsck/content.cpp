// Every blob's bytes against its content id, and the files that have those that are broken.
#include <fmt/format.h>

#include <mutex>

#include "../model_file.h"
#include "../names.h"
#include "../progress_meter.h"
#include "findings.h"
#include "weightfs/base/parallel.h"

namespace weightfs::ops::fsck {
namespace {

constexpr std::size_t kBlobsAtOnce = 1024;

std::uint64_t total_encoded(const BlobTable& blobs) {
  std::uint64_t bytes = 0;
  for (const auto& [id, blob] : blobs) bytes += blob.encoded_bytes;
  return bytes;
}

Status check_broken_marks(const Parts& parts, Findings& findings, const BrokenTable& broken) {
  WEIGHTFS_ASSIGN(const std::vector<store::BlobId> marked, parts.tree.broken_blobs());
  std::unordered_set<store::BlobId> known(marked.begin(), marked.end());
  if (!findings.repairs()) return {};
  tree::Change change(parts.tree);
  // A write of the same content heals what is marked.
  for (const auto& [id, reason] : broken) {
    if (!known.contains(id)) change.add_broken_blob(id);
  }
  for (const store::BlobId id : marked) {
    if (!broken.contains(id)) change.erase_broken_blob(id);
  }
  parts.tree.apply(std::move(change));
  return {};
}

}  // namespace

Status check_content(const Parts& parts, Findings& findings, const BlobTable& blobs,
                     BrokenTable& broken) {
  WorkerPool workers(pool_of(parts.options.worker_count));
  ProgressMeter meter(parts.options.progress);
  meter.add_total(total_encoded(blobs), blobs.size());
  std::mutex mutex;  // protects broken and checked
  std::vector<store::BlobRecord> batch;
  const auto check_batch = [&] {
    parallel_for(workers, batch.size(), [&](std::size_t i) {
      const auto decoded = parts.cache.decode_uncached(batch[i].id);
      meter.add_bytes(batch[i].encoded_bytes);
      meter.end_item();
      const std::lock_guard guard(mutex);
      findings.result().checked_bytes += batch[i].encoded_bytes;
      if (!decoded) broken.try_emplace(batch[i].id, decoded.error().message);
    });
    batch.clear();
  };
  WEIGHTFS_TRY(parts.blobs.for_each(store::BlobId::none, [&](const store::BlobRecord& record) {
    batch.push_back(record);
    if (batch.size() == kBlobsAtOnce) check_batch();
    return true;
  }));
  check_batch();
  return check_broken_marks(parts, findings, broken);
}

Status name_damage(const Parts& parts, Findings& findings, const BrokenTable& broken) {
  if (broken.empty()) return {};
  for (const auto& [id, reason] : broken) {
    findings.problem(reason.starts_with("blob")
                         ? reason
                         : fmt::format("blob {}: {}", store::number(id), reason));
  }
  std::unordered_map<tree::RecipeId, std::vector<DamagedRange>> ranges;
  tree::RecipeId current = tree::RecipeId::none;
  std::uint64_t offset = 0;
  WEIGHTFS_TRY(parts.tree.for_each_recipe_chunk(
      [&](tree::RecipeId id, std::uint64_t, const std::vector<tree::RecipeEntry>& entries) {
        if (id != std::exchange(current, id)) offset = 0;
        for (const tree::RecipeEntry& entry : entries) {
          const auto found = broken.find(entry.blob);
          if (found != broken.end()) {
            ranges[id].push_back({.path = {},
                                  .offset_bytes = offset,
                                  .length_bytes = entry.length_bytes,
                                  .blob = store::number(entry.blob),
                                  .reason = found->second});
          }
          offset += entry.length_bytes;
        }
        return true;
      }));
  WEIGHTFS_ASSIGN(const NameIndex names, NameIndex::build(parts.tree, nullptr));
  return parts.tree.for_each_inode([&](tree::InodeNumber inode, const tree::InodeRecord& record) {
    const auto found = ranges.find(record.content.recipe);
    if (found == ranges.end()) return true;
    for (DamagedRange range : found->second) {
      if (range.offset_bytes >= record.content.recipe_limit_bytes) continue;
      range.path = names.path_of(inode);
      findings.result().damaged.push_back(std::move(range));
    }
    return true;
  });
}

}  // namespace weightfs::ops::fsck
