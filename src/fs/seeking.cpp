// SEEK_DATA and SEEK_HOLE.
//
// Where bytes come from is known to the byte; what is answered are whole blocks, as of a file
// system with blocks of that size: a hole is a block without a byte of data.
#include <unistd.h>

#include <algorithm>

#include "impl.h"

namespace weightfs::fs {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;

std::uint64_t block_begin(std::uint64_t offset_bytes) {
  return offset_bytes - offset_bytes % kBlockBytes;
}

// Not beyond `limit_bytes`, which may lie within the last block.
std::uint64_t next_block(std::uint64_t offset_bytes, std::uint64_t limit_bytes) {
  const std::uint64_t missing_bytes = (kBlockBytes - offset_bytes % kBlockBytes) % kBlockBytes;
  return limit_bytes - offset_bytes <= missing_bytes ? limit_bytes : offset_bytes + missing_bytes;
}

// The next offset in a staged piece that is data (or hole) for its disk; the piece's end for none.
std::uint64_t seek_staged(const Node& node, const file::Piece& piece, SeekKind kind) {
  const off_t found = ::lseek(node.staging->fd(), static_cast<off_t>(piece.begin_bytes),
                              kind == SeekKind::data ? SEEK_DATA : SEEK_HOLE);
  if (found < 0) return kind == SeekKind::data ? piece.end_bytes : piece.begin_bytes;
  return std::min(static_cast<std::uint64_t>(found), piece.end_bytes);
}

Result<std::uint64_t> seek_sealed(const file::RecipeView& recipe, const file::Piece& piece,
                                  SeekKind kind) {
  std::uint64_t position = piece.begin_bytes;
  while (position < piece.end_bytes) {
    WEIGHTFS_ASSIGN(const file::LocatedEntry entry, recipe.locate(position));
    const bool is_hole = entry.blob == store::BlobId::none;
    if (is_hole == (kind == SeekKind::hole)) return position;
    position = entry.end_bytes();
  }
  return piece.end_bytes;
}

}  // namespace

// The next byte of that kind; the size where there is none.
Result<std::uint64_t> Filesystem::Impl::find_byte(Node& node, std::uint64_t begin_bytes,
                                                  SeekKind kind) {
  const tree::ContentRecord& content = node.record.content;
  for (std::uint64_t position = begin_bytes; position < content.size_bytes;) {
    const file::Piece piece = file::piece_at(content, position);
    position = piece.end_bytes;
    std::uint64_t found = piece.end_bytes;
    switch (piece.origin) {
      case file::Origin::zero:
        if (kind == SeekKind::hole) found = piece.begin_bytes;
        break;
      case file::Origin::staged:
        if (!node.staging) return fail(Code::io, "the staging file is missing");
        found = seek_staged(node, piece, kind);
        break;
      case file::Origin::recipe: {
        WEIGHTFS_ASSIGN(const auto recipe, recipe_of(node));
        WEIGHTFS_ASSIGN(found, seek_sealed(*recipe, piece, kind));
        break;
      }
    }
    if (found < piece.end_bytes) return found;
  }
  return content.size_bytes;
}

// The first block from `begin_bytes` on that has no data; the size where every one has some.
Result<std::uint64_t> Filesystem::Impl::find_hole_block(Node& node, std::uint64_t begin_bytes) {
  const std::uint64_t size = node.record.content.size_bytes;
  for (std::uint64_t position = begin_bytes; position < size;) {
    WEIGHTFS_ASSIGN(const std::uint64_t hole, find_byte(node, position, SeekKind::hole));
    const std::uint64_t block = next_block(hole, size);
    if (block == size) return size;
    WEIGHTFS_ASSIGN(const std::uint64_t data, find_byte(node, block, SeekKind::data));
    if (data >= next_block(block + 1, size)) return block;
    position = data;
  }
  return size;
}

Result<std::uint64_t> Filesystem::seek(Handle handle, std::uint64_t offset_bytes, SeekKind kind) {
  WEIGHTFS_ASSIGN(const auto file, impl_->handles.get(handle));
  Node& node = *file->node;
  impl_->refresh(node);
  const std::shared_lock guard(node.mutex);
  const std::uint64_t size = node.record.content.size_bytes;
  if (offset_bytes >= size) return fail(Code::no_such_offset, "past the end");
  const std::uint64_t begin = block_begin(offset_bytes);
  if (kind == SeekKind::hole) {
    WEIGHTFS_ASSIGN(const std::uint64_t hole, impl_->find_hole_block(node, begin));
    return std::max(hole, offset_bytes);
  }
  WEIGHTFS_ASSIGN(const std::uint64_t data, impl_->find_byte(node, begin, kind));
  if (data >= size) return fail(Code::no_such_offset, "no data behind the offset");
  return std::max(block_begin(data), offset_bytes);
}

}  // namespace weightfs::fs
