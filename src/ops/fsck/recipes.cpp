// Recipes: header against chunks, chunks against blobs, and both against the inodes that have them.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "findings.h"

namespace weightfs::ops::fsck {
namespace {

struct RecipeFacts {
  tree::RecipeHeader header;
  bool is_doomed = false;
  bool has_header = false;
  std::uint64_t chunks = 0;
  std::uint64_t entries = 0;
  std::uint64_t size_bytes = 0;
  bool is_damaged = false;
};

class RecipeChecker {
 public:
  RecipeChecker(const Parts& parts, Findings& findings, Facts& facts, BlobTable& blobs,
                BrokenTable& broken)
      : tree_(parts.tree), findings_(findings), facts_(facts), blobs_(blobs), broken_(broken) {}

  Status check() {
    WEIGHTFS_TRY(load());
    WEIGHTFS_TRY(tree_.for_each_recipe_chunk([this](tree::RecipeId id, std::uint64_t chunk,
                                                    const std::vector<tree::RecipeEntry>& entries) {
      add_chunk(id, chunk, entries);
      return true;
    }));
    for (auto& [id, recipe] : recipes_) check_recipe(id, recipe);
    for (const auto& [id, users] : facts_.recipe_users) {
      if (recipes_.contains(id) && recipes_.at(id).has_header) continue;
      findings_.damage(
          fmt::format("recipe {}, the content of {} files, is not there", number(id), users));
    }
    WEIGHTFS_TRY(check_layouts());
    return findings_.apply_fixes();
  }

 private:
  Status load();
  void add_chunk(tree::RecipeId id, std::uint64_t chunk,
                 const std::vector<tree::RecipeEntry>& entries);
  void add_entry(tree::RecipeId id, const tree::RecipeEntry& entry);
  void check_recipe(tree::RecipeId id, const RecipeFacts& recipe);
  void check_users(tree::RecipeId id, const RecipeFacts& recipe);
  Status check_layouts();

  tree::Tree& tree_;
  Findings& findings_;
  Facts& facts_;
  BlobTable& blobs_;
  BrokenTable& broken_;
  std::map<tree::RecipeId, RecipeFacts> recipes_;
};

Status RecipeChecker::load() {
  constexpr std::size_t kMostDoomed = std::size_t{1} << 24;
  WEIGHTFS_TRY(tree_.for_each_recipe([this](tree::RecipeId id, const tree::RecipeHeader& header) {
    RecipeFacts& recipe = recipes_[id];
    recipe.header = header;
    recipe.has_header = true;
    return true;
  }));
  findings_.result().recipes = recipes_.size();
  WEIGHTFS_ASSIGN(const std::vector<tree::RecipeId> doomed,
                  tree_.doomed_recipes(tree::RecipeId::none, kMostDoomed));
  for (const tree::RecipeId id : doomed) {
    recipes_[id].is_doomed = true;
    ++findings_.result().pending_cleanups;
  }
  if (!recipes_.empty()) facts_.greatest_recipe = recipes_.rbegin()->first;
  return {};
}

void RecipeChecker::add_chunk(tree::RecipeId id, std::uint64_t chunk,
                              const std::vector<tree::RecipeEntry>& entries) {
  facts_.greatest_recipe = std::max(facts_.greatest_recipe, id);
  RecipeFacts& recipe = recipes_[id];
  const auto& begins = recipe.header.chunk_begin_bytes;
  if (recipe.has_header) {
    const bool in_place = chunk == recipe.chunks && chunk < begins.size() &&
                          begins[static_cast<std::size_t>(chunk)] == recipe.size_bytes;
    if (!in_place) recipe.is_damaged = true;
  }
  ++recipe.chunks;
  recipe.entries += entries.size();
  for (const tree::RecipeEntry& entry : entries) {
    recipe.size_bytes += entry.length_bytes;
    if (entry.length_bytes == 0) recipe.is_damaged = true;
    if (entry.blob != store::BlobId::none) add_entry(id, entry);
  }
}

void RecipeChecker::add_entry(tree::RecipeId id, const tree::RecipeEntry& entry) {
  const auto blob = blobs_.find(entry.blob);
  if (blob == blobs_.end()) {
    broken_.try_emplace(entry.blob, "the blob is not there");
    return;
  }
  ++blob->second.references;
  if (blob->second.length_bytes == entry.length_bytes) return;
  findings_.damage(fmt::format("recipe {} takes {} bytes from blob {}, which has {}", number(id),
                               entry.length_bytes, store::number(entry.blob),
                               blob->second.length_bytes));
}

void RecipeChecker::check_recipe(tree::RecipeId id, const RecipeFacts& recipe) {
  if (!recipe.has_header) {
    if (!recipe.is_doomed) {
      findings_.damage(fmt::format("recipe {} has lost its header", number(id)));
    }
    return;  // under construction when the store was left
  }
  const tree::RecipeHeader& header = recipe.header;
  const bool complete = recipe.chunks == header.chunk_begin_bytes.size() &&
                        recipe.entries == header.entry_count &&
                        recipe.size_bytes == header.size_bytes;
  // A doomed recipe may have been taken apart halfway.
  if (!recipe.is_doomed && (recipe.is_damaged || !complete)) {
    findings_.damage(fmt::format("recipe {} is damaged: it has {} bytes of {}", number(id),
                                 recipe.size_bytes, header.size_bytes));
  }
  check_users(id, recipe);
}

void RecipeChecker::check_users(tree::RecipeId id, const RecipeFacts& recipe) {
  const auto found = facts_.recipe_users.find(id);
  const std::uint64_t users = found == facts_.recipe_users.end() ? 0 : found->second;
  if (users == 0 && findings_.has_damage()) return;  // a damaged inode may have it
  if (recipe.header.reference_count != users) {
    findings_.problem(fmt::format("recipe {} counts {} files and has {}", number(id),
                                  recipe.header.reference_count, users),
                      [id, users, header = recipe.header](tree::Change& change) mutable {
                        header.reference_count = users;
                        change.put_recipe(id, header);
                        return Status();
                      });
  }
  if (users > 0 && recipe.is_doomed) {
    findings_.problem(
        fmt::format("recipe {} waits to be removed, but {} files have it", number(id), users),
        [id](tree::Change& change) {
          change.erase_doomed_recipe(id);
          return Status();
        });
  }
  if (users == 0 && !recipe.is_doomed) {
    findings_.problem(fmt::format("no file has recipe {}", number(id)), [id](tree::Change& change) {
      change.add_doomed_recipe(id);
      return Status();
    });
  }
}

Status RecipeChecker::check_layouts() {
  return tree_.for_each_layout([this](tree::RecipeId id) {
    const auto recipe = recipes_.find(id);
    if (recipe == recipes_.end() || !recipe->second.has_header) {
      const bool building = recipe != recipes_.end() && recipe->second.is_doomed;
      if (!building) findings_.problem(fmt::format("recipe {} is a layout only", number(id)));
      return true;
    }
    const std::uint64_t size = recipe->second.header.size_bytes;
    const auto layout = tree_.layout(id);
    if (layout && *layout && validated(**layout, size)) return true;
    findings_.problem(fmt::format("recipe {} has a layout that does not fit", number(id)),
                      [id, size](tree::Change& change) {
                        change.put_layout(id, opaque_layout(size, "the layout was damaged"));
                        return Status();
                      });
    return true;
  });
}

}  // namespace

Status check_recipes(const Parts& parts, Findings& findings, Facts& facts, BlobTable& blobs,
                     BrokenTable& broken) {
  return RecipeChecker(parts, findings, facts, blobs, broken).check();
}

}  // namespace weightfs::ops::fsck
