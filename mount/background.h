// Leaving a daemon behind.
#pragma once

#include <functional>

#include "weightfs/base/result.h"

namespace weightfs::mount {

// `serve` gets a function that it calls once it is ready.
using Serve = std::function<Status(const std::function<void()>& ready)>;

// Runs `serve` in a process of its own, session, directory and all, and returns when it is ready,
// or its error. That process logs to syslog once it is ready, and exits when `serve` returns. The
// calling process must have no threads.
Status run_in_background(const Serve& serve);

}  // namespace weightfs::mount
