#include "weightfs/file/content.h"

#include <algorithm>

namespace weightfs::file {
namespace {

using tree::ContentRange;
using tree::ContentRecord;
using tree::RangeKind;

// The first range that ends behind `position`.
auto first_behind(const std::vector<ContentRange>& ranges, std::uint64_t position) {
  return std::partition_point(ranges.begin(), ranges.end(), [&](const ContentRange& range) {
    return range.end_bytes <= position;
  });
}

// The common case: a writer that goes on where it was.
bool extend_last(std::vector<ContentRange>& ranges, const ContentRange& added) {
  if (ranges.empty()) return false;
  ContentRange& last = ranges.back();
  const bool touches = added.begin_bytes >= last.begin_bytes && added.begin_bytes <= last.end_bytes;
  if (!touches || last.kind != added.kind || added.end_bytes < last.end_bytes) return false;
  last.end_bytes = added.end_bytes;
  return true;
}

// Joins the ranges around `at` that touch and are of one kind.
void join_around(std::vector<ContentRange>& ranges, std::size_t at) {
  const auto joins = [&](std::size_t left) {
    return left + 1 < ranges.size() && ranges[left].end_bytes == ranges[left + 1].begin_bytes &&
           ranges[left].kind == ranges[left + 1].kind;
  };
  const auto join = [&](std::size_t left) {
    ranges[left].end_bytes = ranges[left + 1].end_bytes;
    ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(left) + 1);
  };
  if (joins(at)) join(at);
  if (at > 0 && joins(at - 1)) join(at - 1);
}

}  // namespace

void mark_range(ContentRecord& content, std::uint64_t begin_bytes, std::uint64_t end_bytes,
                RangeKind kind) {
  if (begin_bytes >= end_bytes) return;
  const ContentRange added{begin_bytes, end_bytes, kind};
  std::vector<ContentRange>& ranges = content.ranges;
  if (extend_last(ranges, added)) return;
  // Replace every range that the new one meets by what sticks out of it on both sides.
  const auto first = first_behind(ranges, begin_bytes);
  auto behind = first;
  std::vector<ContentRange> replacement;
  if (first != ranges.end() && first->begin_bytes < begin_bytes) {
    replacement.push_back({first->begin_bytes, begin_bytes, first->kind});
  }
  replacement.push_back(added);
  while (behind != ranges.end() && behind->begin_bytes < end_bytes) {
    if (behind->end_bytes > end_bytes) {
      replacement.push_back({end_bytes, behind->end_bytes, behind->kind});
    }
    ++behind;
  }
  const auto at = static_cast<std::size_t>(first - ranges.begin());
  const std::size_t added_at = at + (replacement.front() == added ? 0 : 1);
  const auto erased = ranges.erase(first, behind);
  ranges.insert(erased, replacement.begin(), replacement.end());
  join_around(ranges, added_at);
}

void clear_range(ContentRecord& content, std::uint64_t begin_bytes, std::uint64_t end_bytes) {
  std::vector<ContentRange> kept;
  for (const ContentRange& range : content.ranges) {
    if (range.begin_bytes < begin_bytes) {
      kept.push_back({range.begin_bytes, std::min(range.end_bytes, begin_bytes), range.kind});
    }
    if (range.end_bytes > end_bytes) {
      kept.push_back({std::max(range.begin_bytes, end_bytes), range.end_bytes, range.kind});
    }
  }
  content.ranges = std::move(kept);
}

void set_size(ContentRecord& content, std::uint64_t size_bytes) {
  if (size_bytes < content.size_bytes) {
    content.recipe_limit_bytes = std::min(content.recipe_limit_bytes, size_bytes);
    std::vector<ContentRange>& ranges = content.ranges;
    while (!ranges.empty() && ranges.back().begin_bytes >= size_bytes) ranges.pop_back();
    if (!ranges.empty()) ranges.back().end_bytes = std::min(ranges.back().end_bytes, size_bytes);
  }
  content.size_bytes = size_bytes;
}

Piece piece_at(const ContentRecord& content, std::uint64_t position_bytes) {
  const auto range = first_behind(content.ranges, position_bytes);
  const bool has_range = range != content.ranges.end();
  if (has_range && range->begin_bytes <= position_bytes) {
    const Origin origin = range->kind == RangeKind::staged ? Origin::staged : Origin::zero;
    return {position_bytes, std::min(range->end_bytes, content.size_bytes), origin};
  }
  const std::uint64_t end =
      has_range ? std::min(range->begin_bytes, content.size_bytes) : content.size_bytes;
  const std::uint64_t recipe_end =
      content.recipe == tree::RecipeId::none ? 0 : content.recipe_limit_bytes;
  if (position_bytes < recipe_end) {
    return {position_bytes, std::min(end, recipe_end), Origin::recipe};
  }
  return {position_bytes, end, Origin::zero};
}

std::vector<Piece> pieces_of(const ContentRecord& content, std::uint64_t begin_bytes,
                             std::uint64_t end_bytes) {
  std::vector<Piece> pieces;
  const std::uint64_t end = std::min(end_bytes, content.size_bytes);
  for (std::uint64_t position = begin_bytes; position < end;) {
    Piece piece = piece_at(content, position);
    piece.end_bytes = std::min(piece.end_bytes, end);
    position = piece.end_bytes;
    pieces.push_back(piece);
  }
  return pieces;
}

bool is_unchanged(const ContentRecord& content, std::uint64_t begin_bytes,
                  std::uint64_t end_bytes) {
  if (content.recipe == tree::RecipeId::none || end_bytes > content.recipe_limit_bytes)
    return false;
  const auto range = first_behind(content.ranges, begin_bytes);
  return range == content.ranges.end() || range->begin_bytes >= end_bytes;
}

bool has_staged_bytes(const ContentRecord& content) {
  return std::ranges::any_of(
      content.ranges, [](const ContentRange& range) { return range.kind == RangeKind::staged; });
}

bool is_sealed(const ContentRecord& content) {
  if (content.size_bytes == 0)
    return content.recipe == tree::RecipeId::none && content.ranges.empty();
  return content.recipe != tree::RecipeId::none && content.ranges.empty() &&
         content.recipe_limit_bytes == content.size_bytes;
}

}  // namespace weightfs::file
