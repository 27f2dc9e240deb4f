#include "weightfs/ops/file_storage.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "recipe_use.h"
#include "weightfs/file/content.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::ops {
namespace {

Result<tree::InodeRecord> regular_file(const tree::Tree& tree, fs::InodeNumber inode) {
  WEIGHTFS_ASSIGN(std::optional<tree::InodeRecord> record, tree.inode(inode));
  if (!record) return fail(Code::not_found, "no such file");
  if (!S_ISREG(record->mode)) return fail(Code::invalid, "not a regular file");
  return std::move(*record);
}

std::uint64_t staged_bytes(const tree::ContentRecord& content) {
  std::uint64_t bytes = 0;
  for (const tree::ContentRange& range : content.ranges) {
    if (range.kind == tree::RangeKind::staged) bytes += range.end_bytes - range.begin_bytes;
  }
  return bytes;
}

// Raw bytes of each distinct blob, by the entries that refer to it.
std::unordered_map<store::BlobId, std::size_t> distinct_blobs(
    const std::vector<file::LocatedEntry>& entries, FileStorage& storage) {
  std::unordered_map<store::BlobId, std::size_t> blobs;
  for (const file::LocatedEntry& entry : entries) {
    if (entry.blob == store::BlobId::none) {
      storage.zero_bytes += entry.length_bytes;
      continue;
    }
    ++storage.blocks;
    blobs.emplace(entry.blob, static_cast<std::size_t>(entry.length_bytes));
  }
  storage.distinct_blobs = blobs.size();
  return blobs;
}

Status add_codecs(const store::BlobStore& store, const BlobPlaces& blobs, FileStorage& storage) {
  std::map<codec::CodecTag, CodecUse> uses;
  for (const auto& [id, length] : blobs) {
    WEIGHTFS_ASSIGN(const store::BlobRecord record, store.record(id));
    CodecUse& use = uses[record.codec];
    ++use.blobs;
    use.raw_bytes += record.content.length_bytes;
    use.encoded_bytes += record.encoded_bytes;
    storage.encoded_bytes += record.encoded_bytes;
  }
  for (auto& [tag, use] : uses) {
    use.codec = codec::codec_name(tag);
    storage.codecs.push_back(std::move(use));
  }
  return {};
}

Status add_sharers(const tree::Tree& tree, const tree::InodeRecord& record, const BlobPlaces& blobs,
                   std::size_t limit, FileStorage& storage) {
  std::unordered_map<tree::RecipeId, std::uint64_t> shared_bytes;
  std::unordered_map<tree::RecipeId, std::unordered_set<store::BlobId>> seen;
  WEIGHTFS_TRY(for_each_shared_blob(
      tree, blobs, [&](tree::RecipeId recipe, store::BlobId blob, std::size_t length) {
        if (seen[recipe].insert(blob).second) shared_bytes[recipe] += length;
      }));
  shared_bytes.try_emplace(record.content.recipe, storage.size_bytes);
  WEIGHTFS_ASSIGN(Sharers sharers, files_with_recipes(tree, shared_bytes, storage.inode, limit));
  storage.sharers = std::move(sharers.named);
  storage.sharer_count = sharers.count;
  return {};
}

}  // namespace

Result<FileStorage> file_storage(fs::Filesystem& filesystem, fs::InodeNumber inode,
                                 const FileStorageOptions& options) {
  const tree::Tree& tree = filesystem.tree();
  WEIGHTFS_ASSIGN(const tree::InodeRecord record, regular_file(tree, inode));
  FileStorage storage;
  storage.inode = inode;
  // The tables may be behind what was written a moment ago.
  WEIGHTFS_ASSIGN(const fs::Attributes live, filesystem.get_attributes(inode));
  storage.size_bytes = live.size_bytes;
  storage.is_sealed = live.settled && file::is_sealed(record.content);
  storage.stored_bytes = record.content.stored_bytes;
  storage.unsealed_bytes = staged_bytes(record.content);
  if (!live.settled && file::is_sealed(record.content)) storage.unsealed_bytes = live.size_bytes;
  WEIGHTFS_ASSIGN(const auto entries, recipe_entries(tree, record.content));
  const BlobPlaces blobs = distinct_blobs(entries, storage);
  WEIGHTFS_TRY(add_codecs(filesystem.blobs(), blobs, storage));
  if (record.content.recipe == tree::RecipeId::none) return storage;
  WEIGHTFS_ASSIGN(const auto layout, tree.layout(record.content.recipe));
  if (layout) storage.format = layout->format;
  if (options.max_sharers > 0 && !blobs.empty()) {
    WEIGHTFS_TRY(add_sharers(tree, record, blobs, options.max_sharers, storage));
  }
  return storage;
}

}  // namespace weightfs::ops
