// A file's recipe as a list of blobs, and which other files have the same ones.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "weightfs/file/recipe_view.h"
#include "weightfs/ops/file_storage.h"

namespace weightfs::ops {

// The entries of a sealed file's recipe that its content still shows; empty where it has none.
Result<std::vector<file::LocatedEntry>> recipe_entries(const tree::Tree& tree,
                                                       const tree::ContentRecord& content);

// For each recipe but `own`, which of the blobs in `places` it refers to; `found` is called once
// for each of its entries, with the blob's value.
using BlobPlaces = std::unordered_map<store::BlobId, std::size_t>;
Status for_each_shared_blob(
    const tree::Tree& tree, const BlobPlaces& places,
    const std::function<void(tree::RecipeId, store::BlobId, std::size_t place)>& found);

// The files whose content is one of the recipes in `shared_bytes`, without the inode `own`, those
// with most shared bytes first, and at most `limit` of them named; `count` is how many there are.
struct Sharers {
  std::vector<Sharer> named;
  std::uint64_t count = 0;
};
Result<Sharers> files_with_recipes(
    const tree::Tree& tree, const std::unordered_map<tree::RecipeId, std::uint64_t>& shared_bytes,
    tree::InodeNumber own, std::size_t limit);

// Paths of the files whose content is each recipe, at most `limit` for one, without the inode
// `own`.
Result<std::unordered_map<tree::RecipeId, std::vector<std::string>>> names_by_recipe(
    const tree::Tree& tree, tree::InodeNumber own, std::size_t limit);

}  // namespace weightfs::ops
