// What -o means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "context.h"
#include "weightfs/base/result.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::mount {

struct Options {
  fs::FilesystemOptions filesystem;
  ConnectionOptions connection;
  std::vector<std::string> kernel;           // for mount(2) or fusermount3, as they are
  std::optional<bool> allow_other;           // asked for by name, or the default: true for root
  std::optional<std::size_t> read_ahead_kb;  // asked for by name, or the default
  unsigned thread_count = 16;                // requests served at once, at most
};

// Each of `texts` is "name" or "name=value"; a later one overrides. An unknown option, or a value
// that can't be meant, is Code::invalid and names it.
Result<Options> parse_options(const std::vector<std::string>& texts);

}  // namespace weightfs::mount
