// What every operation can reach.
#pragma once

#include "weightfs/fs/filesystem.h"

namespace weightfs::mount {

struct ConnectionOptions {
  bool writeback = false;  // the kernel collects writes; an experiment
  bool splice = true;      // move bytes between descriptors instead of copying them
};

struct Context {
  fs::Filesystem& filesystem;
  ConnectionOptions connection;
  std::function<void()> on_init;  // the kernel has agreed on the protocol
};

}  // namespace weightfs::mount
