// The daemon: a store, mounted through FUSE.
#pragma once

#include <string>
#include <vector>

#include "weightfs/base/result.h"

namespace weightfs::mount {

struct MountRequest {
  std::string store_path;  // made where there is none
  std::string mount_point;
  std::vector<std::string> options;  // as after -o: "name" or "name=value"
  bool foreground = false;
};

// Mounts and, in the foreground, serves until it is unmounted or told to stop; otherwise leaves a
// daemon behind and returns when the mount answers. An error is one line that says what to do. The
// process must not have started threads.
Status mount_store(const MountRequest& request);

// What -o takes, for --help: a line an option.
std::string option_help();

}  // namespace weightfs::mount
