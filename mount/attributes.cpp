// Operations on attributes, and those of the whole file system. Permissions are the kernel's to
// check (default_permissions), so there is no access().
#include "operations.h"
#include "setgid.h"

namespace weightfs::mount {
namespace {

void reply_attributes(Reply reply, const Result<fs::Attributes>& attributes) {
  if (attributes) {
    reply.attributes(*attributes);
  } else {
    reply.error(attributes.error().code);
  }
}

// The time that `value_flag` or `now_flag` asks for, or nothing.
std::optional<fs::SetAttributes::Time> time_of(int to_set, int value_flag, int now_flag,
                                               const timespec& value) {
  if ((to_set & now_flag) != 0) return fs::SetAttributes::Time{.now = true};
  if ((to_set & value_flag) != 0) return fs::SetAttributes::Time{.value = value};
  return std::nullopt;
}

fs::SetAttributes changes_of(const struct stat& status, int to_set) {
  fs::SetAttributes changes;
  if ((to_set & FUSE_SET_ATTR_MODE) != 0) changes.mode = status.st_mode & 07777U;
  if ((to_set & FUSE_SET_ATTR_UID) != 0) changes.uid = status.st_uid;
  if ((to_set & FUSE_SET_ATTR_GID) != 0) changes.gid = status.st_gid;
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0) {
    changes.size_bytes = static_cast<std::uint64_t>(status.st_size);
  }
  changes.atime = time_of(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, status.st_atim);
  changes.mtime = time_of(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, status.st_mtim);
  if ((to_set & FUSE_SET_ATTR_CTIME) != 0) changes.ctime = status.st_ctim;
  return changes;
}

void get_attributes(Reply reply, Context& context, fuse_ino_t inode, fuse_file_info* /*info*/) {
  const auto attributes = context.filesystem.get_attributes(inode);
  reply_attributes(std::move(reply), attributes);
}

void set_attributes(Reply reply, Context& context, fuse_ino_t inode, struct stat* status,
                    int to_set, fuse_file_info* /*info*/) {
  fs::SetAttributes changes = changes_of(*status, to_set);
  if (changes.size_bytes) {
    const auto without = mode_without_setgid(reply, context.filesystem, inode);
    if (without) changes.mode = changes.mode.value_or(*without) & ~std::uint32_t{S_ISGID};
  }
  const auto attributes = context.filesystem.set_attributes(inode, changes);
  reply_attributes(std::move(reply), attributes);
}

void statistics(Reply reply, Context& context, fuse_ino_t /*inode*/) {
  const auto statistics = context.filesystem.statistics();
  if (!statistics) return reply.error(statistics.error().code);
  reply.statistics(*statistics);
}

}  // namespace

void add_attribute_operations(fuse_lowlevel_ops& table) {
  table.getattr = callback<get_attributes>;
  table.setattr = callback<set_attributes>;
  table.statfs = callback<statistics>;
}

}  // namespace weightfs::mount
