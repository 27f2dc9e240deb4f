// Open files: reading and writing.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "impl.h"
#include "weightfs/base/fault.h"

namespace weightfs::fs {
namespace {

constexpr std::uint64_t kSmallFileBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kLargestOffset = (std::uint64_t{1} << 63) - 1;

OpenFile open_with(NodePointer node, int flags) {
  const int access = flags & O_ACCMODE;
  return {.node = std::move(node),
          .readable = access != O_WRONLY,
          .writable = access != O_RDONLY,
          .append = (flags & O_APPEND) != 0,
          .keeps_atime = (flags & O_NOATIME) != 0};
}

}  // namespace

Result<Handle> Filesystem::open_file(InodeNumber inode, int flags) {
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  OpenFile file = open_with(node, flags);
  if (impl_->options.read_only && (file.writable || (flags & O_TRUNC) != 0)) {
    return fail(Code::read_only, "mounted read-only");
  }
  {
    const std::unique_lock guard(node->mutex);
    if (node->removed) return fail(Code::not_found, "the file was removed");
    if (node->is_directory()) return fail(Code::is_directory, "a directory");
    if ((flags & O_TRUNC) != 0 && node->is_regular()) WEIGHTFS_TRY(impl_->set_live_size(*node, 0));
  }
  impl_->nodes->add_handle(*node, file.writable);
  return impl_->handles.add(std::move(file));
}

Result<Filesystem::Created> Filesystem::create(InodeNumber parent, std::string_view name,
                                               std::uint32_t mode, int flags,
                                               const Caller& caller) {
  NodePointer node;
  {
    const std::unique_lock names(impl_->names_mutex);
    WEIGHTFS_ASSIGN(node, impl_->make_inode({.parent = parent,
                                             .name = name,
                                             .mode = (mode & 07777) | S_IFREG,
                                             .device = 0,
                                             .symlink_target = {},
                                             .caller = caller}));
    node->parent_hint = parent;
    node->name_hint = name;
    impl_->nodes->add_lookup(*node);
  }
  OpenFile file = open_with(node, flags);
  impl_->nodes->add_handle(*node, file.writable);
  const Handle handle = impl_->handles.add(std::move(file));
  const std::shared_lock guard(node->mutex);
  return Created{.attributes = impl_->attributes_of(*node), .handle = handle};
}

Result<Filesystem::Created> Filesystem::create_unnamed(InodeNumber parent, std::uint32_t mode,
                                                       int flags, const Caller& caller) {
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  const InodeNumber number = impl_->ids->next_inode();
  tree::InodeRecord record;
  record.mode = (mode & 07777) | S_IFREG;
  record.uid = caller.uid;
  record.gid = caller.gid;
  WEIGHTFS_ASSIGN(const Attributes directory, get_attributes(parent));
  if ((directory.mode & S_ISGID) != 0) record.gid = directory.gid;
  record.atime = record.mtime = record.ctime = record.btime = current_time();
  tree::Change change(*impl_->tree);
  WEIGHTFS_TRY(impl_->inherit_acl(change, parent, number, record.mode, caller.umask));
  change.put_inode(number, record);
  change.add_orphan(number);
  impl_->tree->apply(std::move(change));
  const NodePointer node = impl_->nodes->insert(number, std::move(record));
  impl_->nodes->add_lookup(*node);
  OpenFile file = open_with(node, flags);
  impl_->nodes->add_handle(*node, file.writable);
  const Handle handle = impl_->handles.add(std::move(file));
  const std::shared_lock guard(node->mutex);
  return Created{.attributes = impl_->attributes_of(*node), .handle = handle};
}

bool Filesystem::awaits_first_read(Handle handle) {
  const auto file = impl_->handles.get(handle);
  if (!file || !(*file)->readable || (*file)->keeps_atime) return false;
  const Node& node = *(*file)->node;
  const std::shared_lock guard(node.mutex);
  const bool small = node.record.content.size_bytes <= kSmallFileBytes;
  return (small || impl_->options.strict_atime) && impl_->is_atime_due(node, current_time());
}

Result<ReadResult> Filesystem::read(Handle handle, std::uint64_t offset_bytes,
                                    std::size_t size_bytes) {
  WEIGHTFS_ASSIGN(const auto file, impl_->handles.get(handle));
  Node& node = *file->node;
  impl_->refresh(node);
  ReadResult result;
  {
    const std::shared_lock guard(node.mutex);
    const tree::ContentRecord& content = node.record.content;
    if (offset_bytes >= content.size_bytes) return result;
    const std::uint64_t end =
        std::min<std::uint64_t>(offset_bytes + size_bytes, content.size_bytes);
    if (content.recipe != tree::RecipeId::none) {
      if (const auto ahead = node.read_ahead.note_read(offset_bytes, end - offset_bytes)) {
        impl_->prefetch(node, ahead->begin_bytes, ahead->end_bytes);
      }
    }
    WEIGHTFS_TRY(impl_->read_pieces(node, offset_bytes, end, result));
  }
  if (!file->keeps_atime) impl_->touch_atime(file->node);
  return result;
}

void Filesystem::Impl::prefetch(Node& node, std::uint64_t begin, std::uint64_t end) {
  const auto recipe = recipe_of(node);
  if (!recipe || begin >= (*recipe)->size_bytes()) return;
  const auto entries = (*recipe)->entries_of(begin, end);
  if (!entries) return;  // whoever reads there is told
  std::vector<store::BlobId> wanted;
  for (const file::LocatedEntry& entry : *entries) {
    if (entry.blob != store::BlobId::none) wanted.push_back(entry.blob);
  }
  blobs->will_load(wanted);
  cache->prefetch(wanted);
}

Result<std::size_t> Filesystem::write(Handle handle, std::uint64_t offset_bytes, ByteSpan data) {
  return write_from(handle, offset_bytes, data.size(),
                    [data](int fd, std::uint64_t offset) -> Result<std::size_t> {
                      WEIGHTFS_TRY(write_exactly(fd, offset, data));
                      return data.size();
                    });
}

Result<std::size_t> Filesystem::write_from(Handle handle, std::uint64_t offset_bytes,
                                           std::size_t size_bytes, const FillDescriptor& fill) {
  WEIGHTFS_ASSIGN(const auto file, impl_->handles.get(handle));
  if (!file->writable) return fail(Code::bad_handle, "not open for writing");
  if (size_bytes == 0) return std::size_t{0};
  Node& node = *file->node;
  impl_->wait_for_descriptor(node);
  const std::unique_lock guard(node.mutex);
  impl_->absorb(node);
  tree::ContentRecord& content = node.record.content;
  const std::uint64_t offset = file->append ? content.size_bytes : offset_bytes;
  if (offset > kLargestOffset - size_bytes) {
    return fail(Code::file_too_large, "the file would be too large");
  }
  WEIGHTFS_TRY(impl_->staging->check_room(size_bytes));
  if (impl_->disk_full) return fail(Code::no_space, "the store's disk is full");
  WEIGHTFS_TRY(impl_->ensure_staging(node));
  WEIGHTFS_FAULT_POINT("staging.write");
  WEIGHTFS_ASSIGN(const std::size_t written, fill(node.staging->fd(), offset));
  if (node.loan) {
    impl_->absorb(node);
    return written;
  }
  file::mark_range(content, offset, offset + written, tree::RangeKind::staged);
  content.size_bytes = std::max(content.size_bytes, offset + written);
  impl_->content_changed(node);
  WEIGHTFS_TRY(impl_->compact_ranges(node));
  return written;
}

std::optional<std::uint32_t> Filesystem::setgid_group(Handle handle) {
  const auto file = impl_->handles.get(handle);
  if (!file) return std::nullopt;
  const Node& node = *(*file)->node;
  const std::shared_lock guard(node.mutex);
  if ((node.record.mode & S_ISGID) == 0) return std::nullopt;
  return node.record.gid;
}

void Filesystem::drop_setgid(Handle handle) {
  const auto file = impl_->handles.get(handle);
  if (!file) return;
  Node& node = *(*file)->node;
  {
    const std::unique_lock guard(node.mutex);
    if (node.removed) return;
    node.record.mode &= ~static_cast<std::uint32_t>(S_ISGID);
    tree::Change change(*impl_->tree);
    impl_->put_record(change, node);
    impl_->tree->apply(std::move(change));
  }
  if (ChangeObserver* watching = impl_->observer) watching->attributes_changed(node.inode);
}

Status Filesystem::flush(Handle handle) {
  WEIGHTFS_ASSIGN(const auto file, impl_->handles.get(handle));
  const std::unique_lock guard(file->node->mutex);
  return std::exchange(file->node->write_error, {});
}

Status Filesystem::sync(Handle handle) {
  WEIGHTFS_ASSIGN(const auto file, impl_->handles.get(handle));
  WEIGHTFS_TRY(flush(handle));
  WEIGHTFS_TRY(impl_->settle_content(file->node));
  return impl_->commit_tables();
}

void Filesystem::release(Handle handle) {
  const auto file = impl_->handles.take(handle);
  if (!file) return;
  const NodePointer& node = file->node;
  const bool loan_ended = impl_->end_loan(*file);
  const bool unknown = impl_->nodes->drop_handle(*node, file->writable);
  if (unknown) impl_->remove_if_unknown(node);
  if ((file->writable || loan_ended) && impl_->nodes->writer_count(*node) == 0) {
    impl_->queue_seal(node, std::chrono::milliseconds(impl_->options.seal_delay_ms));
  }
  if (unknown) impl_->nodes->evict(node);
}

}  // namespace weightfs::fs
