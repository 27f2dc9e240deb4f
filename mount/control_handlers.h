// What can be asked of the daemon.
#pragma once

#include <functional>

#include "control_server.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::mount {

// "sync": {}, "status": {"pid", "store", "unsealed_files"}, "quit": unmounts and ends the daemon.
void add_daemon_handlers(ControlServer& server, fs::Filesystem& filesystem,
                         std::function<void()> quit);

// What commands ask of a mounted store: "report", "gc", "optimize", "stat", "tensors", "import"
// and "export" (weightfs/ops).
void add_ops_handlers(ControlServer& server, fs::Filesystem& filesystem);

}  // namespace weightfs::mount
