// Lending: the kernel moves the bytes of a file that is being written by itself.
//
// A file that was just made is its staging file, byte for byte. Its descriptor can be given to the
// kernel (FUSE passthrough), which then reads and writes it as it would on the store's disk. Nobody
// tells of what is written, so whoever needs to know looks at the staging file: absorb(). All that
// goes through the file system itself (truncating, allocating, copying) changes the staging file in
// place. Nothing is sealed before the last handle is released.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "impl.h"
#include "weightfs/tree/room.h"

namespace weightfs::fs {
namespace {

// How far the tables can grow on a full disk. They use again what a commit has freed.
constexpr std::uint64_t kMetadataRoomBytes = std::uint64_t{4} << 20;

int falloc_mode_of(AllocateKind kind) {
  switch (kind) {
    case AllocateKind::allocate:
      return 0;
    case AllocateKind::keep_size:
      return FALLOC_FL_KEEP_SIZE;
    case AllocateKind::punch_hole:
      return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    case AllocateKind::zero_range:
      return FALLOC_FL_ZERO_RANGE;
    case AllocateKind::zero_range_keep_size:
      return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
  }
  return 0;
}

}  // namespace

// Only an empty file that nobody else has open: what the kernel has cached of it is nothing. With
// the setgid bit, which a write may take away, not.
bool Filesystem::Impl::begin_loan(Node& node, const OpenFile& file) {
  if (options.read_only || !file.writable) return false;
  if (node.removed || !node.is_regular() || nodes->handle_count(node) != 1) return false;
  if ((node.record.mode & S_ISGID) != 0) return false;
  tree::ContentRecord& content = node.record.content;
  const bool is_empty =
      content.size_bytes == 0 && content.ranges.empty() && content.recipe == tree::RecipeId::none;
  if (!is_empty || disk_full || staging->is_crowded()) return false;
  if (node.staging && node.staging->was_committed()) return false;
  struct stat status {};
  if (!has_metadata_room && !keep_metadata_room()) return false;
  if (!staging->keep_reserve() || !ensure_staging(node)) return false;
  if (::fstat(node.staging->fd(), &status) != 0 || status.st_size != 0) return false;
  node.loan = Loan{.seen_atime = status.st_atim, .seen_mtime = status.st_mtim};
  ++loan_count;
  mark_dirty(node);
  return true;
}

bool Filesystem::Impl::end_loan(const OpenFile& file) {
  Node& node = *file.node;
  const std::unique_lock guard(node.mutex);
  if (!file.is_lent) return false;
  absorb(node);
  file.is_lent = false;
  --node.loan->handle_count;
  if (file.writable) --node.loan->writer_count;
  if (node.loan->handle_count > 0) return false;
  node.loan.reset();
  --loan_count;
  if (node.record.content.size_bytes > 0) {
    ++node.version;  // stores into mappings may have left no other trace
    mark_dirty(node);
  } else {
    drop_staging(node);
  }
  return true;
}

void Filesystem::Impl::absorb(Node& node) {
  struct stat status {};
  if (!node.loan || ::fstat(node.staging->fd(), &status) != 0) return;
  Loan& loan = *node.loan;
  tree::ContentRecord& content = node.record.content;
  if (is_later(status.st_atim, loan.seen_atime) && !options.no_atime) {
    node.record.atime = loan.seen_atime = status.st_atim;
    node.attributes_dirty = true;
    mark_dirty(node);
  }
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  const bool touched = is_later(status.st_mtim, loan.seen_mtime);
  if (!touched && size_bytes == content.size_bytes) return;
  content.size_bytes = size_bytes;
  content.ranges.clear();
  if (size_bytes > 0) content.ranges.push_back({0, size_bytes, tree::RangeKind::staged});
  if (touched) loan.seen_mtime = status.st_mtim;
  content_changed(node, touched ? status.st_mtim : node.record.mtime);
}

void Filesystem::Impl::refresh(Node& node) {
  {
    const std::shared_lock guard(node.mutex);
    if (!node.loan) return;
  }
  const std::unique_lock guard(node.mutex);
  absorb(node);
}

Status Filesystem::Impl::allocate_lent(Node& node, AllocateKind kind, std::uint64_t offset_bytes,
                                       std::uint64_t length_bytes) {
  if (::fallocate(node.staging->fd(), falloc_mode_of(kind), static_cast<off_t>(offset_bytes),
                  static_cast<off_t>(length_bytes)) != 0) {
    return fail_errno(errno, "can't allocate in the staging file");
  }
  absorb(node);
  content_changed(node);
  return {};
}

// The bytes that the tables may come back to are cut off when the tables say so, not before.
Status Filesystem::Impl::set_lent_size(Node& node, std::uint64_t size_bytes) {
  absorb(node);
  tree::ContentRecord& content = node.record.content;
  if (size_bytes < content.size_bytes && node.staging->was_committed()) {
    file::set_size(content, size_bytes);
    content_changed(node);
    if (Status committed = commit_smaller(node); !committed) {
      node.loan->seen_mtime = {};  // so that the next look finds the size that it still has
      return committed;
    }
  }
  if (::ftruncate(node.staging->fd(), static_cast<off_t>(size_bytes)) != 0) {
    return fail_errno(errno, "can't truncate the staging file");
  }
  absorb(node);
  content_changed(node);
  return {};
}

// What the reserve's file yields, a writer in the kernel may take before the commit does. So the
// tables have room of their own, until the file system is closed.
bool Filesystem::Impl::keep_metadata_room() {
  has_metadata_room = tree::keep_room(directory.meta_path(), kMetadataRoomBytes).has_value();
  return has_metadata_room;
}

// Metadata needs room where lent files have filled the disk.
void Filesystem::Impl::keep_reserve() {
  if (loan_count == 0) {
    staging->drop_reserve();
  } else {  // in the next round, if there is no room now
    (void)keep_metadata_room();
    (void)staging->keep_reserve();
  }
}

std::optional<int> Filesystem::lend(Handle handle) {
  const auto file = impl_->handles.get(handle);
  if (!file) return std::nullopt;
  Node& node = *(*file)->node;
  const std::unique_lock guard(node.mutex);
  if ((*file)->is_lent) return node.staging->fd();
  if (!node.loan && !impl_->begin_loan(node, **file)) return std::nullopt;
  (*file)->is_lent = true;
  ++node.loan->handle_count;
  if ((*file)->writable) ++node.loan->writer_count;
  return node.staging->fd();
}

void Filesystem::take_back(Handle handle) {
  if (const auto file = impl_->handles.get(handle)) (void)impl_->end_loan(**file);
}

}  // namespace weightfs::fs
