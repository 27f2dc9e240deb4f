#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "recipe_use.h"
#include "weightfs/fs/filesystem.h"
#include "weightfs/ops/file_storage.h"

namespace weightfs::ops {
namespace {

constexpr std::size_t kMostSharersNamed = 5;

// Which blobs each tensor lies in, and what part of their encoded bytes is its own.
class TensorBlobs {
 public:
  TensorBlobs(const store::BlobStore& blobs, const std::vector<file::LocatedEntry>& entries)
      : blobs_(blobs), entries_(entries) {}

  Status add(const Tensor& tensor) {
    const std::uint64_t begin = tensor.offset_bytes;
    const std::uint64_t end = begin + tensor.length_bytes;
    TensorStorage storage;
    storage.offset_bytes = begin;
    storage.length_bytes = tensor.length_bytes;
    auto entry = std::partition_point(entries_.begin(), entries_.end(), [&](const auto& candidate) {
      return candidate.end_bytes() <= begin;
    });
    for (; entry != entries_.end() && entry->offset_bytes < end; ++entry) {
      if (entry->blob == store::BlobId::none) continue;
      tensors_of_[entry->blob].push_back(tensors.size());
      const std::uint64_t overlap =
          std::min(end, entry->end_bytes()) - std::max(begin, entry->offset_bytes);
      WEIGHTFS_ASSIGN(const store::BlobRecord record, blobs_.record(entry->blob));
      storage.stored_bytes += record.encoded_bytes * overlap / entry->length_bytes;
    }
    tensors.push_back(std::move(storage));
    return {};
  }

  const std::unordered_map<store::BlobId, std::vector<std::size_t>>& tensors_of() const {
    return tensors_of_;
  }
  std::vector<TensorStorage> tensors;

 private:
  const store::BlobStore& blobs_;
  const std::vector<file::LocatedEntry>& entries_;
  std::unordered_map<store::BlobId, std::vector<std::size_t>> tensors_of_;
};

// Names, for each tensor, files that have one of its blobs.
Status add_sharers(const tree::Tree& tree, fs::InodeNumber own, TensorBlobs& found) {
  BlobPlaces places;
  for (const auto& [blob, tensors] : found.tensors_of()) places.emplace(blob, 0);
  std::unordered_map<tree::RecipeId, std::set<std::size_t>> tensors_of_recipe;
  WEIGHTFS_TRY(for_each_shared_blob(
      tree, places, [&](tree::RecipeId recipe, store::BlobId blob, std::size_t) {
        const std::vector<std::size_t>& tensors = found.tensors_of().at(blob);
        tensors_of_recipe[recipe].insert(tensors.begin(), tensors.end());
      }));
  WEIGHTFS_ASSIGN(const auto names, names_by_recipe(tree, own, kMostSharersNamed));
  for (const auto& [recipe, tensors] : tensors_of_recipe) {
    const auto files = names.find(recipe);
    if (files == names.end()) continue;
    for (const std::size_t tensor : tensors) {
      for (const std::string& path : files->second) {
        std::vector<std::string>& shared_with = found.tensors[tensor].shared_with;
        if (shared_with.size() < kMostSharersNamed) shared_with.push_back(path);
      }
    }
  }
  return {};
}

}  // namespace

Result<std::vector<TensorStorage>> tensor_storage(fs::Filesystem& filesystem,
                                                  fs::InodeNumber inode) {
  const tree::Tree& tree = filesystem.tree();
  WEIGHTFS_ASSIGN(const auto record, tree.inode(inode));
  if (!record) return fail(Code::not_found, "no such file");
  WEIGHTFS_ASSIGN(const auto entries, recipe_entries(tree, record->content));
  if (entries.empty()) return std::vector<TensorStorage>();
  WEIGHTFS_ASSIGN(const auto layout, tree.layout(record->content.recipe));
  if (!layout) return std::vector<TensorStorage>();
  TensorBlobs found(filesystem.blobs(), entries);
  for (const Tensor& tensor : layout->tensors) WEIGHTFS_TRY(found.add(tensor));
  WEIGHTFS_TRY(add_sharers(tree, inode, found));
  return std::move(found.tensors);
}

}  // namespace weightfs::ops
