// Unmounting and syncing a mounted store from outside of its daemon.
#pragma once

#include <string>

#include "weightfs/base/result.h"

namespace weightfs::ops {

struct UnmountOptions {
  // Take it out of sight even if files are open there, and don't wait: the daemon ends when the
  // last of them is closed.
  bool lazy = false;
};

// Seals and syncs what is mounted at `mount_point`, unmounts it, and returns when its daemon has
// gone. A dead mount is detached. Code::invalid: nothing of ours is mounted there. Code::busy:
// files are open.
Status unmount(const std::string& mount_point, const UnmountOptions& options);

// Returns when everything written to the mount so far is sealed and durable.
Status sync(const std::string& mount_point);

// Whether `path` is a mount whose daemon has died ("Transport endpoint is not connected").
bool is_dead(const std::string& path);

// Takes the mount at `mount_point` out of the name space, with fusermount3 where this is not root.
Status detach(const std::string& mount_point, bool lazy);

}  // namespace weightfs::ops
