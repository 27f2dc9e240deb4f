#include "recipe_use.h"

#include <algorithm>

#include "names.h"

namespace weightfs::ops {

Result<std::vector<file::LocatedEntry>> recipe_entries(const tree::Tree& tree,
                                                       const tree::ContentRecord& content) {
  if (content.recipe == tree::RecipeId::none) return std::vector<file::LocatedEntry>();
  WEIGHTFS_ASSIGN(const auto view, file::RecipeView::open(tree, content.recipe));
  return view->entries_of(0, content.recipe_limit_bytes);
}

Status for_each_shared_blob(
    const tree::Tree& tree, const BlobPlaces& places,
    const std::function<void(tree::RecipeId, store::BlobId, std::size_t place)>& found) {
  return tree.for_each_recipe_chunk(
      [&](tree::RecipeId id, std::uint64_t, const std::vector<tree::RecipeEntry>& entries) {
        for (const tree::RecipeEntry& entry : entries) {
          const auto place = places.find(entry.blob);
          if (place != places.end()) found(id, entry.blob, place->second);
        }
        return true;
      });
}

Result<Sharers> files_with_recipes(
    const tree::Tree& tree, const std::unordered_map<tree::RecipeId, std::uint64_t>& shared_bytes,
    tree::InodeNumber own, std::size_t limit) {
  std::vector<std::pair<std::uint64_t, tree::InodeNumber>> found;
  WEIGHTFS_TRY(tree.for_each_inode([&](tree::InodeNumber inode, const tree::InodeRecord& record) {
    const auto recipe = shared_bytes.find(record.content.recipe);
    if (inode != own && record.link_count > 0 && recipe != shared_bytes.end()) {
      found.emplace_back(recipe->second, inode);
    }
    return true;
  }));
  Sharers sharers{.named = {}, .count = found.size()};
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  if (found.size() > limit) found.resize(limit);
  std::unordered_set<tree::InodeNumber> wanted;
  for (const auto& [bytes, inode] : found) wanted.insert(inode);
  WEIGHTFS_ASSIGN(const NameIndex names, NameIndex::build(tree, &wanted));
  for (const auto& [bytes, inode] : found) {
    sharers.named.push_back({.path = names.path_of(inode), .shared_bytes = bytes});
  }
  return sharers;
}

Result<std::unordered_map<tree::RecipeId, std::vector<std::string>>> names_by_recipe(
    const tree::Tree& tree, tree::InodeNumber own, std::size_t limit) {
  std::unordered_map<tree::RecipeId, std::vector<tree::InodeNumber>> inodes;
  std::unordered_set<tree::InodeNumber> wanted;
  WEIGHTFS_TRY(tree.for_each_inode([&](tree::InodeNumber inode, const tree::InodeRecord& record) {
    const tree::RecipeId recipe = record.content.recipe;
    if (inode == own || recipe == tree::RecipeId::none || record.link_count == 0) return true;
    if (inodes[recipe].size() == limit) return true;
    inodes[recipe].push_back(inode);
    wanted.insert(inode);
    return true;
  }));
  WEIGHTFS_ASSIGN(const NameIndex index, NameIndex::build(tree, &wanted));
  std::unordered_map<tree::RecipeId, std::vector<std::string>> names;
  for (const auto& [recipe, files] : inodes) {
    for (const tree::InodeNumber inode : files) names[recipe].push_back(index.path_of(inode));
  }
  return names;
}

}  // namespace weightfs::ops
