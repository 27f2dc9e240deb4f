#include "neighbours.h"

#include "snapshot_source.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kMostNames = 10000;

}  // namespace

std::shared_ptr<const ByteSource> DirectoryNeighbours::open(std::string_view name) const {
  if (directory_ == 0 || !check_name(name)) return nullptr;
  const auto entry = impl_.tree->entry(directory_, name);
  if (!entry || !*entry) return nullptr;
  const auto node = impl_.nodes->get((*entry)->inode);
  if (!node) return nullptr;
  const std::shared_lock guard((*node)->mutex);
  if (!(*node)->is_regular() || (*node)->removed) return nullptr;
  SnapshotSource::Parts parts;
  parts.content = (*node)->record.content;
  parts.staged = (*node)->staging;
  parts.cache = impl_.cache.get();
  if (!parts.staged && parts.content.staging != tree::StagingId::none) {
    parts.staged = impl_.staging->open_existing(parts.content.staging).value_or(nullptr);
    if (!parts.staged) return nullptr;
  }
  if (parts.content.recipe != tree::RecipeId::none) {
    parts.recipe = impl_.recipe_of(**node).value_or(nullptr);
    if (!parts.recipe) return nullptr;
  }
  return std::make_shared<SnapshotSource>(std::move(parts));
}

std::vector<std::string> DirectoryNeighbours::names() const {
  std::vector<std::string> names;
  if (directory_ == 0) return names;
  const auto entries = impl_.tree->list(directory_, 0, kMostNames);
  if (!entries) return names;
  for (const tree::ListedEntry& listed : *entries) names.push_back(listed.entry.name);
  return names;
}

}  // namespace weightfs::fs
