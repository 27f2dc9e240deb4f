// How far the kernel reads ahead of a program.
#pragma once

#include <cstddef>
#include <string>

#include "weightfs/base/result.h"

namespace weightfs::mount {

// The default, as the benchmark found best (docs/benchmarks.md).
constexpr std::size_t kReadAheadKb = 1024;

// Sets it for the mount at `mount_point`, which must answer. Only root may; for others a udev rule
// can (mount/99-weightfs.rules).
Status set_read_ahead(const std::string& mount_point, std::size_t kilobytes);

}  // namespace weightfs::mount
