// Which stores are mounted where, as the kernel says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"

namespace weightfs::ops {

struct MountEntry {
  std::string mount_point;  // absolute
  std::string store_path;   // absolute
  std::string device;       // "major:minor"
};

// All mounts of weightfs in this mount namespace, in the order in which they were made.
Result<std::vector<MountEntry>> list_mounts();
// The same from the text of /proc/self/mountinfo.
std::vector<MountEntry> parse_mounts(std::string_view mountinfo);

// The topmost mount at exactly `path`, or nothing.
Result<std::optional<MountEntry>> mount_at(const std::string& path);
// The mount that `path` lies in, or nothing.
Result<std::optional<MountEntry>> mount_containing(const std::string& path);
// A mount of the store at `path`, or nothing.
Result<std::optional<MountEntry>> mount_of_store(const std::string& path);

// `path` made absolute, with symbolic links resolved as far as it exists. Asks no file system
// behind a dead mount.
Result<std::string> absolute_path(const std::string& path);

}  // namespace weightfs::ops
