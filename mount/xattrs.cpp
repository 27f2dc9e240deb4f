// Extended attributes. All namespaces go to the file system as they are; the kernel has checked who
// may use them.
#include <sys/xattr.h>

#include "operations.h"
#include "setgid.h"
#include "weightfs/ops/control.h"
#include "weightfs/ops/file_storage.h"

namespace weightfs::mount {
namespace {

constexpr std::string_view kAccessAclName = "system.posix_acl_access";

Result<fs::XattrMode> mode_of(int flags) {
  switch (flags) {
    case 0:
      return fs::XattrMode::create_or_replace;
    case XATTR_CREATE:
      return fs::XattrMode::create;
    case XATTR_REPLACE:
      return fs::XattrMode::replace;
    default:
      return fail(Code::invalid, "flags of setxattr that can't be meant");
  }
}

Status set(const Reply& reply, Context& context, fuse_ino_t inode, std::string_view name,
           ByteSpan value, int flags) {
  if (inode == fs::kRootInode && name == ops::kSyncXattr) return context.filesystem.sync_all();
  WEIGHTFS_ASSIGN(const fs::XattrMode mode, mode_of(flags));
  const bool drops =
      name == kAccessAclName && mode_without_setgid(reply, context.filesystem, inode).has_value();
  return context.filesystem.set_xattr(inode, name, value, mode, drops);
}

void set_xattr(Reply reply, Context& context, fuse_ino_t inode, const char* name, const char* value,
               std::size_t size_bytes, int flags) {
  reply.status(set(reply, context, inode, name, bytes_of({value, size_bytes}), flags));
}

void get_xattr(Reply reply, Context& context, fuse_ino_t inode, const char* name,
               std::size_t room_bytes) {
  const auto computed = ops::virtual_xattr(context.filesystem, inode, name);
  if (!computed) return reply.error(computed.error().code);
  if (*computed) return reply.sized_value(**computed, room_bytes);
  const auto value = context.filesystem.get_xattr(inode, name);
  if (!value) return reply.error(value.error().code);
  reply.sized_value(*value, room_bytes);
}

void list_xattrs(Reply reply, Context& context, fuse_ino_t inode, std::size_t room_bytes) {
  const auto names = context.filesystem.list_xattrs(inode);
  if (!names) return reply.error(names.error().code);
  const bool sees_trusted = reply.caller().uid == 0;
  std::string list;
  for (const std::string& name : *names) {
    if (name.starts_with("trusted.") && !sees_trusted) continue;
    list.append(name.c_str(), name.size() + 1);
  }
  reply.sized_value(list, room_bytes);
}

void remove_xattr(Reply reply, Context& context, fuse_ino_t inode, const char* name) {
  reply.status(context.filesystem.remove_xattr(inode, name));
}

}  // namespace

void add_xattr_operations(fuse_lowlevel_ops& table) {
  table.setxattr = callback<set_xattr>;
  table.getxattr = callback<get_xattr>;
  table.listxattr = callback<list_xattrs>;
  table.removexattr = callback<remove_xattr>;
}

}  // namespace weightfs::mount
