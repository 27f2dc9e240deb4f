// What must be true before a store can be mounted, each with an error that says what to do.
#pragma once

#include <string>

#include "weightfs/base/result.h"

namespace weightfs::mount {

// /dev/fuse is there and may be used; fusermount3 is there for those who are not root; a user other
// than root may give allow_other.
Status check_fuse(bool allow_other);

// `path` is an empty directory, on which nothing of ours is mounted. A dead mount is detached
// first.
Status prepare_mount_point(const std::string& path);

// No daemon in this name space has the store mounted.
Status check_not_mounted(const std::string& store_path);

}  // namespace weightfs::mount
