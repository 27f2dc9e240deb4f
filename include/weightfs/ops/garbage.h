// Freeing what nothing refers to any more. Deletes do so by themselves, in the background: this is
// for who wants it done now, or wants to know how much there is.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "weightfs/base/result.h"

namespace weightfs::fs {
class Filesystem;
}

namespace weightfs::ops {

struct Garbage {
  std::uint64_t recipes = 0;
  std::uint64_t blobs = 0;
  std::uint64_t encoded_bytes = 0;
  bool dry_run = false;  // nothing was freed
};

Result<Garbage> collect_garbage(fs::Filesystem& filesystem, bool dry_run);
// In the daemon, if the store is mounted. A dry run opens an unmounted store for reading only.
Result<Garbage> collect_store_garbage(const std::string& path, bool dry_run);

nlohmann::json to_json(const Garbage& garbage);
Result<Garbage> garbage_from_json(const nlohmann::json& json);

}  // namespace weightfs::ops
