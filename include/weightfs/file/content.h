// Which byte of a file comes from where, while it is being written.
//
// Pure bookkeeping over tree::ContentRecord: no bytes move here. Not thread-safe; an inode's lock
// guards it.
#pragma once

#include <cstdint>
#include <vector>

#include "weightfs/tree/records.h"

namespace weightfs::file {

enum class Origin : std::uint8_t { recipe, staged, zero };

struct Piece {
  std::uint64_t begin_bytes = 0;
  std::uint64_t end_bytes = 0;
  Origin origin = Origin::zero;
};

// Marks [begin, end) as `kind`; does not change the size.
void mark_range(tree::ContentRecord& content, std::uint64_t begin_bytes, std::uint64_t end_bytes,
                tree::RangeKind kind);
// Takes [begin, end) out of all ranges, so that the recipe (or zeros) shows through.
void clear_range(tree::ContentRecord& content, std::uint64_t begin_bytes, std::uint64_t end_bytes);
// ftruncate: what lies beyond a smaller size is gone for good, what a larger size adds is zero.
void set_size(tree::ContentRecord& content, std::uint64_t size_bytes);
// The longest piece that begins at the position, which lies before the end of the file.
Piece piece_at(const tree::ContentRecord& content, std::uint64_t position_bytes);
// The pieces that cover [begin, end) of the file, in order, without gaps; cut off at the size.
std::vector<Piece> pieces_of(const tree::ContentRecord& content, std::uint64_t begin_bytes,
                             std::uint64_t end_bytes);
// Whether every byte of [begin, end) comes from the recipe.
bool is_unchanged(const tree::ContentRecord& content, std::uint64_t begin_bytes,
                  std::uint64_t end_bytes);
// Whether any byte comes from the staging file.
bool has_staged_bytes(const tree::ContentRecord& content);
// Whether the content is its recipe and nothing else (or is empty).
bool is_sealed(const tree::ContentRecord& content);

}  // namespace weightfs::file
