// The setgid bit of a file, and who loses it by a change.
//
// It goes when somebody changes the file who is not in its group and not root. The kernel takes it
// from programs (the group's x bit is set) by itself; for the others, and for ACLs, it can tell the
// file system only in a newer protocol than libfuse 3.14 speaks.
#pragma once

#include <optional>

#include "operations.h"

namespace weightfs::mount {

// The mode without the bit where the caller takes it away, or nothing.
std::optional<std::uint32_t> mode_without_setgid(const Reply& reply, fs::Filesystem& filesystem,
                                                 fuse_ino_t inode);

// After a change of the content through `handle`: takes the bit away where the caller does.
void drop_setgid(const Reply& reply, fs::Filesystem& filesystem, fs::Handle handle);

}  // namespace weightfs::mount
