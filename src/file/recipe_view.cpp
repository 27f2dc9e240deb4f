#include "weightfs/file/recipe_view.h"

#include <algorithm>

namespace weightfs::file {
namespace {

// The recipe's structure is the store's bytes, so it is not trusted.
Status check_header(const tree::RecipeHeader& header) {
  const auto& begins = header.chunk_begin_bytes;
  const bool sorted =
      std::adjacent_find(begins.begin(), begins.end(), std::greater_equal<>()) == begins.end();
  const bool starts_at_zero = begins.empty() ? header.size_bytes == 0 : begins.front() == 0;
  if (!sorted || !starts_at_zero || (!begins.empty() && begins.back() >= header.size_bytes)) {
    return fail(Code::corrupt, "a recipe is damaged");
  }
  return {};
}

}  // namespace

RecipeView::RecipeView(const tree::Tree& tree, tree::RecipeId id, tree::RecipeHeader header)
    : tree_(tree), id_(id), header_(std::move(header)), chunks_(header_.chunk_begin_bytes.size()) {}

Result<std::shared_ptr<RecipeView>> RecipeView::open(const tree::Tree& tree, tree::RecipeId id) {
  WEIGHTFS_ASSIGN(std::optional<tree::RecipeHeader> header, tree.recipe(id));
  if (!header) return fail(Code::corrupt, "a recipe is missing");
  WEIGHTFS_TRY(check_header(*header));
  return std::shared_ptr<RecipeView>(new RecipeView(tree, id, std::move(*header)));
}

Result<std::shared_ptr<const RecipeView::Chunk>> RecipeView::load_chunk(std::size_t index) const {
  WEIGHTFS_ASSIGN(const std::vector<tree::RecipeEntry> entries, tree_.recipe_chunk(id_, index));
  const bool is_last = index + 1 == header_.chunk_begin_bytes.size();
  const std::uint64_t end = is_last ? header_.size_bytes : header_.chunk_begin_bytes[index + 1];
  std::uint64_t position = header_.chunk_begin_bytes[index];
  auto chunk = std::make_shared<Chunk>();
  chunk->reserve(entries.size());
  for (const tree::RecipeEntry& entry : entries) {
    if (entry.length_bytes == 0 || entry.length_bytes > end - position) {
      return fail(Code::corrupt, "a recipe is damaged");
    }
    chunk->push_back({position, entry.length_bytes, entry.blob});
    position += entry.length_bytes;
  }
  if (position != end) return fail(Code::corrupt, "a recipe is damaged");
  return std::shared_ptr<const Chunk>(std::move(chunk));
}

Result<std::shared_ptr<const RecipeView::Chunk>> RecipeView::chunk_at(
    std::uint64_t offset_bytes) const {
  const auto& begins = header_.chunk_begin_bytes;
  if (offset_bytes >= header_.size_bytes) return fail(Code::invalid, "past the end of the recipe");
  const auto behind = std::upper_bound(begins.begin(), begins.end(), offset_bytes);
  const auto index = static_cast<std::size_t>(behind - begins.begin()) - 1;
  {
    const std::lock_guard lock(mutex_);
    if (chunks_[index]) return chunks_[index];
  }
  WEIGHTFS_ASSIGN(std::shared_ptr<const Chunk> chunk, load_chunk(index));
  const std::lock_guard lock(mutex_);
  chunks_[index] = chunk;
  return chunk;
}

Result<LocatedEntry> RecipeView::locate(std::uint64_t offset_bytes) const {
  WEIGHTFS_ASSIGN(const std::shared_ptr<const Chunk> chunk, chunk_at(offset_bytes));
  const auto found = std::partition_point(
      chunk->begin(), chunk->end(),
      [&](const LocatedEntry& entry) { return entry.end_bytes() <= offset_bytes; });
  return *found;
}

Result<std::vector<LocatedEntry>> RecipeView::entries_of(std::uint64_t begin_bytes,
                                                         std::uint64_t end_bytes) const {
  const std::uint64_t end = std::min(end_bytes, header_.size_bytes);
  std::vector<LocatedEntry> entries;
  std::uint64_t position = begin_bytes;
  while (position < end) {
    WEIGHTFS_ASSIGN(const std::shared_ptr<const Chunk> chunk, chunk_at(position));
    auto entry = std::partition_point(
        chunk->begin(), chunk->end(),
        [&](const LocatedEntry& candidate) { return candidate.end_bytes() <= position; });
    for (; entry != chunk->end() && entry->offset_bytes < end; ++entry) {
      entries.push_back(*entry);
      position = entry->end_bytes();
    }
  }
  return entries;
}

}  // namespace weightfs::file
