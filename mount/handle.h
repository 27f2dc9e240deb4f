// fs::Handle as libfuse carries it.
#pragma once

#include "fuse.h"
#include "weightfs/fs/types.h"

namespace weightfs::mount {

inline fs::Handle handle_of(const fuse_file_info* info) {
  return static_cast<fs::Handle>(info->fh);
}
inline void set_handle(fuse_file_info& info, fs::Handle handle) {
  info.fh = static_cast<std::uint64_t>(handle);
}

}  // namespace weightfs::mount
