// What every operation can reach.
#pragma once

#include "lending.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::mount {

struct ConnectionOptions {
  bool writeback = false;   // the kernel collects writes; an experiment
  bool splice = true;       // move bytes between descriptors instead of copying them
  bool passthrough = true;  // the kernel writes new files by itself, where it can
};

struct Context {
  fs::Filesystem& filesystem;
  ConnectionOptions connection;
  Lending& lending;
  std::function<void()> on_init;  // the kernel has agreed on the protocol
};

}  // namespace weightfs::mount
