#include "snapshot_source.h"

#include <unistd.h>

#include <algorithm>

#include "weightfs/base/checked.h"
#include "weightfs/file/content.h"

namespace weightfs::fs {

Status SnapshotSource::read_at(std::uint64_t offset_bytes, MutableByteSpan target) const {
  if (!range_fits<std::uint64_t>(offset_bytes, target.size(), size_bytes())) {
    return fail(Code::invalid, "read past the end");
  }
  const std::uint64_t end = offset_bytes + target.size();
  for (const file::Piece& piece : file::pieces_of(parts_.content, offset_bytes, end)) {
    const MutableByteSpan part =
        target.subspan(static_cast<std::size_t>(piece.begin_bytes - offset_bytes),
                       static_cast<std::size_t>(piece.end_bytes - piece.begin_bytes));
    std::size_t filled = 0;
    switch (piece.origin) {
      case file::Origin::zero:
        break;
      case file::Origin::staged: {
        WEIGHTFS_ASSIGN(filled, read_up_to(parts_.staged->fd(), piece.begin_bytes, part));
        break;
      }
      case file::Origin::recipe:
        WEIGHTFS_TRY(read_sealed(piece.begin_bytes, part));
        filled = part.size();
        break;
    }
    std::fill(part.begin() + static_cast<std::ptrdiff_t>(filled), part.end(), std::byte{0});
  }
  return {};
}

Status SnapshotSource::read_sealed(std::uint64_t offset_bytes, MutableByteSpan target) const {
  const std::uint64_t end = offset_bytes + target.size();
  WEIGHTFS_ASSIGN(const auto entries, parts_.recipe->entries_of(offset_bytes, end));
  for (const file::LocatedEntry& entry : entries) {
    const std::uint64_t from = std::max(entry.offset_bytes, offset_bytes);
    const std::uint64_t to = std::min(entry.end_bytes(), end);
    const MutableByteSpan part = target.subspan(static_cast<std::size_t>(from - offset_bytes),
                                                static_cast<std::size_t>(to - from));
    if (entry.blob == store::BlobId::none) {
      std::fill(part.begin(), part.end(), std::byte{0});
      continue;
    }
    WEIGHTFS_ASSIGN(const auto block, parts_.cache->get(entry.blob));
    if (block->bytes().size() != entry.length_bytes)
      return fail(Code::corrupt, "a recipe is damaged");
    const ByteSpan bytes =
        block->bytes().subspan(static_cast<std::size_t>(from - entry.offset_bytes), part.size());
    std::copy(bytes.begin(), bytes.end(), part.begin());
  }
  return {};
}

std::uint64_t SnapshotSource::next_data(std::uint64_t offset_bytes) const {
  for (std::uint64_t position = offset_bytes; position < size_bytes();) {
    const file::Piece piece = file::piece_at(parts_.content, position);
    position = piece.end_bytes;
    if (piece.origin == file::Origin::zero) continue;
    if (piece.origin == file::Origin::recipe) return piece.begin_bytes;
    const off_t found =
        ::lseek(parts_.staged->fd(), static_cast<off_t>(piece.begin_bytes), SEEK_DATA);
    if (found >= 0 && static_cast<std::uint64_t>(found) < piece.end_bytes) {
      return static_cast<std::uint64_t>(found);
    }
  }
  return size_bytes();
}

}  // namespace weightfs::fs
