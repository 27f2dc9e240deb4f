// fallocate(2): room that is reserved on the store's disk, and given back.
//
// The room is that of the staging file, so it lasts until the file is sealed.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "impl.h"
#include "weightfs/base/log.h"

namespace weightfs::fs {
namespace {

constexpr std::uint64_t kLargestOffset = (std::uint64_t{1} << 63) - 1;

// Disks that can't reserve leave it at that.
Status reserve(int fd, std::uint64_t begin_bytes, std::uint64_t end_bytes) {
  const auto length = static_cast<off_t>(end_bytes - begin_bytes);
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin_bytes), length) == 0) return {};
  const int error = errno;
  if (error != ENOSPC && error != EDQUOT && error != EFBIG) return {};
  return fail_errno(error, "can't reserve room in the staging file");
}

}  // namespace

// Room for what [begin, end) has no bytes for yet: holes, and what lies behind the end.
Status Filesystem::Impl::reserve_holes(Node& node, std::uint64_t begin_bytes,
                                       std::uint64_t end_bytes) {
  const tree::ContentRecord& content = node.record.content;
  std::vector<file::Piece> wanted = file::pieces_of(content, begin_bytes, end_bytes);
  std::erase_if(wanted,
                [](const file::Piece& piece) { return piece.origin == file::Origin::recipe; });
  const std::uint64_t behind_bytes = std::max(begin_bytes, content.size_bytes);
  if (behind_bytes < end_bytes) wanted.push_back({behind_bytes, end_bytes, file::Origin::zero});
  if (wanted.empty()) return {};
  WEIGHTFS_TRY(ensure_staging(node));
  for (const file::Piece& piece : wanted) {
    WEIGHTFS_TRY(reserve(node.staging->fd(), piece.begin_bytes, piece.end_bytes));
  }
  return {};
}

void Filesystem::Impl::give_room_back(Node& node, std::uint64_t begin_bytes,
                                      std::uint64_t end_bytes) {
  // What no crash can bring back may go from the disk at once.
  if (!node.staging || node.staging->was_committed()) return;
  if (::fallocate(node.staging->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(begin_bytes),
                  static_cast<off_t>(end_bytes - begin_bytes)) != 0) {
    log::debug("a staging file kept what was punched out of it");
  }
  ++node.epoch;  // a settle under way must not commit the bytes that went
}

// Reserved room that nobody wrote to goes when the last writer has closed.
void Filesystem::Impl::drop_idle_staging(const NodePointer& node) {
  if (nodes->writer_count(*node) != 0) return;
  const std::unique_lock guard(node->mutex);
  if (node->loan || !node->staging || file::has_staged_bytes(node->record.content)) return;
  drop_staging(*node);
}

Status Filesystem::allocate(Handle handle, AllocateKind kind, std::uint64_t offset_bytes,
                            std::uint64_t length_bytes) {
  WEIGHTFS_ASSIGN(const auto file, impl_->handles.get(handle));
  if (!file->writable) return fail(Code::bad_handle, "not open for writing");
  if (length_bytes == 0) return fail(Code::invalid, "nothing to allocate");
  if (length_bytes > kLargestOffset || offset_bytes > kLargestOffset - length_bytes) {
    return fail(Code::file_too_large, "the file would be too large");
  }
  Node& node = *file->node;
  if (kind != AllocateKind::punch_hole) impl_->wait_for_descriptor(node);
  const std::unique_lock guard(node.mutex);
  tree::ContentRecord& content = node.record.content;
  const std::uint64_t end = offset_bytes + length_bytes;
  const bool allocates = kind == AllocateKind::allocate || kind == AllocateKind::keep_size;
  if (allocates) WEIGHTFS_TRY(impl_->staging->check_room(length_bytes));
  if (node.loan) return impl_->allocate_lent(node, kind, offset_bytes, length_bytes);
  if (allocates) {
    WEIGHTFS_TRY(impl_->reserve_holes(node, offset_bytes, end));
  } else if (offset_bytes < content.size_bytes) {
    file::mark_range(content, offset_bytes, std::min(end, content.size_bytes),
                     tree::RangeKind::zero);
  }
  if (kind == AllocateKind::punch_hole) {
    impl_->give_room_back(node, offset_bytes, end);
  } else if (!allocates && impl_->staging->check_room(length_bytes)) {
    (void)impl_->reserve_holes(node, offset_bytes, end);  // zeros need no room to be there
  }
  const bool grows = kind == AllocateKind::allocate || kind == AllocateKind::zero_range;
  if (grows && end > content.size_bytes) return impl_->set_live_size(node, end);
  impl_->content_changed(node);
  return {};
}

}  // namespace weightfs::fs
