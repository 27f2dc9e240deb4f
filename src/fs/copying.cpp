// copy_file_range: whole files and ranges that meet block boundaries share blobs; what is left over
// is copied as bytes.
#include <algorithm>

#include "impl.h"

namespace weightfs::fs {
namespace {

using Entries = std::vector<tree::RecipeEntry>;

// FUSE answers with 32 bits.
constexpr std::uint64_t kMostSharedBytes = (std::uint64_t{1} << 31) - 4096;
constexpr std::uint64_t kMostCopiedBytes = std::uint64_t{8} << 20;

// The recipe's entries over [begin, end) as far as they can be shared: nothing where a blob sticks
// out at the begin; `end` is taken back to where the last whole entry ends.
Result<std::optional<Entries>> whole_entries(const file::RecipeView& recipe, std::uint64_t begin,
                                             std::uint64_t& end) {
  WEIGHTFS_ASSIGN(const std::vector<file::LocatedEntry> located, recipe.entries_of(begin, end));
  Entries entries;
  std::uint64_t position = begin;
  for (const file::LocatedEntry& entry : located) {
    const bool zeros = entry.blob == store::BlobId::none;
    if (entry.offset_bytes < begin && !zeros) return std::nullopt;
    if (entry.end_bytes() > end && !zeros) break;
    const std::uint64_t entry_end = std::min(entry.end_bytes(), end);
    entries.push_back({.blob = entry.blob, .length_bytes = entry_end - position});
    position = entry_end;
  }
  end = position;
  return entries;
}

void append(Entries& entries, const Entries& more) {
  entries.insert(entries.end(), more.begin(), more.end());
}

struct Planned {
  Entries entries;  // of the target's new recipe
  std::uint64_t copied_bytes = 0;
};

struct CopyPlan {
  const Node& source;
  const file::RecipeView& source_recipe;
  const Node& target;
  const file::RecipeView* target_recipe;  // null where the target has none
  const CopyRange& range;
};

// What the target keeps of its recipe in [begin, end), whole entries only.
Result<std::optional<Entries>> kept_entries(const CopyPlan& plan, std::uint64_t begin,
                                            std::uint64_t end) {
  const std::uint64_t limit =
      plan.target_recipe ? plan.target.record.content.recipe_limit_bytes : 0;
  const std::uint64_t recipe_end = std::min(end, limit);
  Entries entries;
  if (begin < recipe_end) {
    std::uint64_t reached = recipe_end;
    WEIGHTFS_ASSIGN(const auto kept, whole_entries(*plan.target_recipe, begin, reached));
    if (!kept || reached != recipe_end) return std::nullopt;
    entries = *kept;
  }
  const std::uint64_t zeros_begin = std::max(begin, recipe_end);
  if (zeros_begin < end) entries.push_back({.blob = {}, .length_bytes = end - zeros_begin});
  return entries;
}

// The target's new recipe, or nothing where the ranges can't be shared.
Result<std::optional<Planned>> plan_sharing(const CopyPlan& plan) {
  const CopyRange& range = plan.range;
  const std::uint64_t source_end = range.source_offset_bytes + range.length_bytes;
  if (!file::is_unchanged(plan.source.record.content, range.source_offset_bytes, source_end)) {
    return std::nullopt;
  }
  std::uint64_t end = source_end;
  WEIGHTFS_ASSIGN(const auto shared,
                  whole_entries(plan.source_recipe, range.source_offset_bytes, end));
  if (!shared || shared->empty()) return std::nullopt;
  Planned planned;
  planned.copied_bytes = end - range.source_offset_bytes;
  const std::uint64_t target_end = range.target_offset_bytes + planned.copied_bytes;
  WEIGHTFS_ASSIGN(const auto head, kept_entries(plan, 0, range.target_offset_bytes));
  const std::uint64_t limit =
      plan.target_recipe ? plan.target.record.content.recipe_limit_bytes : 0;
  WEIGHTFS_ASSIGN(const auto tail, kept_entries(plan, target_end, std::max(target_end, limit)));
  if (!head || !tail) return std::nullopt;
  append(planned.entries, *head);
  append(planned.entries, *shared);
  append(planned.entries, *tail);
  return planned;
}

std::uint64_t total_bytes(const Entries& entries) {
  std::uint64_t total = 0;
  for (const tree::RecipeEntry& entry : entries) total += entry.length_bytes;
  return total;
}

// Chunks and header of a recipe that is complete.
tree::RecipeHeader put_entries(tree::Change& change, tree::RecipeId id, const Entries& entries) {
  tree::RecipeHeader header;
  header.reference_count = 1;
  header.entry_count = entries.size();
  for (std::size_t begin = 0; begin < entries.size(); begin += tree::kRecipeChunkEntries) {
    const std::size_t end = std::min(begin + tree::kRecipeChunkEntries, entries.size());
    const Entries chunk(entries.begin() + static_cast<std::ptrdiff_t>(begin),
                        entries.begin() + static_cast<std::ptrdiff_t>(end));
    change.put_recipe_chunk(id, begin / tree::kRecipeChunkEntries, chunk);
    header.chunk_begin_bytes.push_back(header.size_bytes);
    header.size_bytes += total_bytes(chunk);
  }
  change.put_recipe(id, header);
  return header;
}

}  // namespace

// With both nodes' locks held. 0 where nothing can be shared.
Result<std::uint64_t> Filesystem::Impl::share_range(Node& source, Node& target,
                                                    const CopyRange& range) {
  if (target.loan) return 0;
  tree::ContentRecord content = target.record.content;
  file::clear_range(content, range.target_offset_bytes,
                    range.target_offset_bytes + range.length_bytes);
  if (file::has_staged_bytes(content) || source.record.content.recipe == tree::RecipeId::none)
    return 0;
  WEIGHTFS_ASSIGN(const auto source_recipe, recipe_of(source));
  std::shared_ptr<const file::RecipeView> target_recipe;
  if (content.recipe != tree::RecipeId::none) {
    WEIGHTFS_ASSIGN(target_recipe, recipe_of(target));
  }
  WEIGHTFS_ASSIGN(const auto planned, plan_sharing({.source = source,
                                                    .source_recipe = *source_recipe,
                                                    .target = target,
                                                    .target_recipe = target_recipe.get(),
                                                    .range = range}));
  if (!planned) return 0;
  const std::uint64_t end = range.target_offset_bytes + planned->copied_bytes;
  if (planned->copied_bytes < range.length_bytes) {
    content = target.record.content;
    file::clear_range(content, range.target_offset_bytes, end);
    if (file::has_staged_bytes(content)) return 0;
  }
  const bool whole = file::is_sealed(source.record.content) && range.source_offset_bytes == 0 &&
                     range.target_offset_bytes == 0 && content.ranges.empty() &&
                     planned->copied_bytes == source.record.content.size_bytes &&
                     end >= content.size_bytes;
  const auto counts = references->lock();
  tree::Change change(*tree);
  const tree::StagingId staged = content.staging;
  content.staging = tree::StagingId::none;
  content.size_bytes = std::max(content.size_bytes, end);
  content.stored_bytes = 1;
  if (whole) {
    content.recipe = source.record.content.recipe;
    content.recipe_limit_bytes = content.size_bytes;
    if (content.recipe != target.committed.recipe) {
      WEIGHTFS_TRY(references->retain_recipe(change, content.recipe));
    }
  } else {
    content.recipe = ids->next_recipe();
    WEIGHTFS_TRY(references->add_blob_references(change, planned->entries, {}));
    content.recipe_limit_bytes = put_entries(change, content.recipe, planned->entries).size_bytes;
  }
  target.record.content = content;
  WEIGHTFS_TRY(replace_committed(change, target, content));
  if (staged != tree::StagingId::none) discard_staging(staged);
  target.staging.reset();
  ++target.epoch;
  target.settled_version = ++target.version;
  target.record.mtime = target.record.ctime = current_time();
  put_record(change, target);
  tree->apply(std::move(change));
  return planned->copied_bytes;
}

Result<std::uint64_t> Filesystem::copy_range(const CopyRange& wanted) {
  WEIGHTFS_ASSIGN(const auto source, impl_->handles.get(wanted.source));
  WEIGHTFS_ASSIGN(const auto target, impl_->handles.get(wanted.target));
  if (!source->readable || !target->writable) return fail(Code::bad_handle, "not open for that");
  CopyRange range = wanted;
  range.length_bytes = std::min(range.length_bytes, kMostSharedBytes);
  Node& from = *source->node;
  Node& to = *target->node;
  if (&from != &to) {
    const bool from_first = from.inode < to.inode;
    const std::unique_lock first((from_first ? from : to).mutex);
    const std::unique_lock second((from_first ? to : from).mutex);
    impl_->absorb(from);
    const std::uint64_t size = from.record.content.size_bytes;
    if (range.source_offset_bytes >= size) return 0;
    range.length_bytes = std::min(range.length_bytes, size - range.source_offset_bytes);
    WEIGHTFS_ASSIGN(const std::uint64_t shared, impl_->share_range(from, to, range));
    if (shared > 0) return shared;
  }
  const auto size = static_cast<std::size_t>(std::min(range.length_bytes, kMostCopiedBytes));
  WEIGHTFS_ASSIGN(const ReadResult bytes, read(range.source, range.source_offset_bytes, size));
  std::uint64_t done = 0;
  for (const Segment& segment : bytes.segments) {
    WEIGHTFS_ASSIGN(const std::size_t written,
                    write(range.target, range.target_offset_bytes + done, segment.bytes));
    done += written;
  }
  return done;
}

}  // namespace weightfs::fs
