// Operations on open files but for their data: open, close, sync, space, holes, copies.
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "channel.h"
#include "handle.h"
#include "operations.h"
#include "setgid.h"

namespace weightfs::mount {
namespace {

// What the kernel cached of a file stays right when it is opened anew: nothing changes but through
// it.
void mark_opened(fuse_file_info& info, fs::Handle handle) {
  set_handle(info, handle);
  info.keep_cache = 1;
  // close(2) does not wait for the file system, as with ext4: write(2) tells of what fails at once,
  // the next write or fsync(2) of what fails later.
  info.noflush = 1;
}

// The kernel knows the end of the file, and sends appended bytes with their offset. It also writes
// pages of mappings back through any descriptor that is open for writing, one with O_APPEND too:
// those bytes have their place already.
int flags_without_append(int flags) {
  return flags & ~O_APPEND;
}

// Says in the reply that the kernel moves the bytes by itself, where it shall.
class LentReply {
 public:
  LentReply(const Reply& reply, Context& context, fs::InodeNumber inode, fuse_file_info& info) {
    const auto loan =
        context.lending.lend(inode, handle_of(&info), info.flags, reply.caller_thread());
    if (!loan) return;
    says_so_.emplace(loan->backing_id);
    info.direct_io = loan->only_mappings;
    info.keep_cache = 0;  // pages of before would be older than what is written there
    info.noflush = 0;     // so that who writes learns of the end of this process
  }
  bool is_lent() const { return says_so_.has_value(); }

 private:
  std::optional<PassthroughReply> says_so_;
};

void open(Reply reply, Context& context, fuse_ino_t inode, fuse_file_info* info) {
  const auto handle = context.filesystem.open_file(inode, flags_without_append(info->flags));
  if (!handle) return reply.error(handle.error().code);
  mark_opened(*info, *handle);
  info->keep_cache = !context.filesystem.awaits_first_read(*handle);
  const LentReply lent(reply, context, inode, *info);
  if (!reply.opened(*info)) context.lending.release(inode, *handle);
}

void reply_created(Reply reply, Context& context, Result<fs::Filesystem::Created> created,
                   fuse_file_info& info) {
  if (!created) return reply.error(created.error().code);
  mark_opened(info, created->handle);
  const LentReply lent(reply, context, created->attributes.inode, info);
  if (lent.is_lent()) created->attributes.settled = false;
  if (reply.created(created->attributes, info)) return;
  context.lending.release(created->attributes.inode, created->handle);
  context.filesystem.forget(created->attributes.inode, 1);
}

void create(Reply reply, Context& context, fuse_ino_t parent, const char* name, mode_t mode,
            fuse_file_info* info) {
  const auto created = context.filesystem.create(parent, name, mode,
                                                 flags_without_append(info->flags), reply.caller());
  reply_created(std::move(reply), context, created, *info);
}

#ifdef WEIGHTFS_FUSE_HAS_TMPFILE
void create_unnamed(Reply reply, Context& context, fuse_ino_t parent, mode_t mode,
                    fuse_file_info* info) {
  const auto created = context.filesystem.create_unnamed(
      parent, mode, flags_without_append(info->flags), reply.caller());
  reply_created(std::move(reply), context, created, *info);
}
#endif

void flush(Reply reply, Context& context, fuse_ino_t /*inode*/, fuse_file_info* info) {
  reply.status(context.filesystem.flush(handle_of(info)));
}

void sync(Reply reply, Context& context, fuse_ino_t /*inode*/, int /*data_only*/,
          fuse_file_info* info) {
  reply.status(context.filesystem.sync(handle_of(info)));
}

void release(Reply reply, Context& context, fuse_ino_t inode, fuse_file_info* info) {
  context.lending.release(inode, handle_of(info));
  reply.success();
}

Result<fs::AllocateKind> allocate_kind_of(int mode) {
  switch (mode) {
    case 0:
      return fs::AllocateKind::allocate;
    case FALLOC_FL_KEEP_SIZE:
      return fs::AllocateKind::keep_size;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return fs::AllocateKind::punch_hole;
    case FALLOC_FL_ZERO_RANGE:
      return fs::AllocateKind::zero_range;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
      return fs::AllocateKind::zero_range_keep_size;
    default:
      return fail(Code::unsupported, "a mode of fallocate that is not offered");
  }
}

void allocate(Reply reply, Context& context, fuse_ino_t /*inode*/, int mode, off_t offset,
              off_t length, fuse_file_info* info) {
  const auto kind = allocate_kind_of(mode);
  if (!kind) return reply.error(kind.error().code);
  const Status allocated =
      context.filesystem.allocate(handle_of(info), *kind, static_cast<std::uint64_t>(offset),
                                  static_cast<std::uint64_t>(length));
  if (allocated) drop_setgid(reply, context.filesystem, handle_of(info));
  reply.status(allocated);
}

// The kernel answers the other origins itself.
void seek(Reply reply, Context& context, fuse_ino_t /*inode*/, off_t offset, int origin,
          fuse_file_info* info) {
  if (origin != SEEK_DATA && origin != SEEK_HOLE) return reply.error(Code::invalid);
  const auto kind = origin == SEEK_DATA ? fs::SeekKind::data : fs::SeekKind::hole;
  const auto found =
      context.filesystem.seek(handle_of(info), static_cast<std::uint64_t>(offset), kind);
  if (!found) return reply.error(found.error().code);
  reply.offset(*found);
}

void copy_range(Reply reply, Context& context, fuse_ino_t /*source*/, off_t source_offset,
                fuse_file_info* source_info, fuse_ino_t /*target*/, off_t target_offset,
                fuse_file_info* target_info, std::size_t length, int /*flags*/) {
  const auto copied = context.filesystem.copy_range(
      {.source = handle_of(source_info),
       .source_offset_bytes = static_cast<std::uint64_t>(source_offset),
       .target = handle_of(target_info),
       .target_offset_bytes = static_cast<std::uint64_t>(target_offset),
       .length_bytes = length});
  if (!copied) return reply.error(copied.error().code);
  if (*copied > 0) drop_setgid(reply, context.filesystem, handle_of(target_info));
  reply.written(*copied);
}

}  // namespace

void add_file_operations(fuse_lowlevel_ops& table) {
  table.open = callback<open>;
  table.create = callback<create>;
#ifdef WEIGHTFS_FUSE_HAS_TMPFILE
  table.tmpfile = callback<create_unnamed>;
#endif
  table.flush = callback<flush>;
  table.fsync = callback<sync>;
  table.release = callback<release>;
  table.fallocate = callback<allocate>;
  table.lseek = callback<seek>;
  table.copy_file_range = callback<copy_range>;
}

}  // namespace weightfs::mount
