// Where a path that a person typed leads: to a store, or into a mount of one.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "weightfs/base/result.h"

namespace weightfs::fs {
class Filesystem;
}

namespace weightfs::ops {

struct Place {
  std::string store_path;   // absolute
  std::string inner_path;   // from the store's root: "/", "/models/a.safetensors"
  bool is_mounted = false;  // a daemon has the store: ask it
};

// STORE, or any path in a mount. Code::not_found: neither; the message says so.
Result<Place> find_place(const std::string& path);
// The same, with an optional ":/PATH" behind it that is added to the inner path. A path that exists
// as it is written is taken as it is.
Result<Place> find_place_with_path(const std::string& text);

// Opens an unmounted store. Reading only also works beside an fsck, and recovers nothing.
Result<std::unique_ptr<fs::Filesystem>> open_unmounted(const Place& place, bool read_only);
// One request to the daemon that has the place's store mounted.
Result<nlohmann::json> ask_daemon(const Place& place, const nlohmann::json& request);

}  // namespace weightfs::ops
