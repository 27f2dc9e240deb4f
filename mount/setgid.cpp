#include "setgid.h"

#include <sys/stat.h>

namespace weightfs::mount {

std::optional<std::uint32_t> mode_without_setgid(const Reply& reply, fs::Filesystem& filesystem,
                                                 fuse_ino_t inode) {
  if (reply.caller().uid == 0) return std::nullopt;
  const auto attributes = filesystem.get_attributes(inode);
  if (!attributes || (attributes->mode & S_ISGID) == 0) return std::nullopt;
  if (reply.caller_is_in_group(attributes->gid)) return std::nullopt;
  return attributes->mode & ~static_cast<std::uint32_t>(S_ISGID);
}

void drop_setgid(const Reply& reply, fs::Filesystem& filesystem, fs::Handle handle) {
  if (reply.caller().uid == 0) return;
  const auto group = filesystem.setgid_group(handle);
  if (group && !reply.caller_is_in_group(*group)) filesystem.drop_setgid(handle);
}

}  // namespace weightfs::mount
