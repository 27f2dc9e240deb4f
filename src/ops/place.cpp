#include "weightfs/ops/place.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <nlohmann/json.hpp>

#include "weightfs/fs/filesystem.h"
#include "weightfs/ops/control.h"
#include "weightfs/ops/mount_table.h"
#include "weightfs/store/directory.h"

namespace weightfs::ops {
namespace {

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// A read-only mount has no control socket, and needs none: the store can be read beside it.
bool has_daemon(const std::string& store_path) {
  return ::access((store_path + "/control").c_str(), F_OK) == 0 || errno != ENOENT;
}

std::string joined(const std::string& directory, std::string_view below) {
  while (!below.empty() && below.front() == '/') below.remove_prefix(1);
  while (!below.empty() && below.back() == '/') below.remove_suffix(1);
  if (below.empty()) return directory;
  return (directory == "/" ? "" : directory) + "/" + std::string(below);
}

}  // namespace

Result<Place> find_place(const std::string& path) {
  WEIGHTFS_ASSIGN(const auto mount, mount_containing(path));
  WEIGHTFS_ASSIGN(const std::string absolute, absolute_path(path));
  if (mount) {
    return Place{.store_path = mount->store_path,
                 .inner_path = joined("/", absolute.substr(mount->mount_point.size())),
                 .is_mounted = has_daemon(mount->store_path)};
  }
  if (!exists(absolute)) {
    return fail(Code::not_found, path + ": no such store or mount point");
  }
  if (!exists(absolute + "/format")) {
    return fail(Code::invalid, path + " is neither a weightfs store nor in a mounted one");
  }
  WEIGHTFS_ASSIGN(const int holder, store::lock_holder(absolute));
  return Place{.store_path = absolute,
               .inner_path = "/",
               .is_mounted = holder != 0 && exists(absolute + "/control")};
}

Result<Place> find_place_with_path(const std::string& text) {
  const std::size_t colon = text.find(":/");
  if (colon == std::string::npos || exists(text)) return find_place(text);
  WEIGHTFS_ASSIGN(Place place, find_place(text.substr(0, colon)));
  place.inner_path = joined(place.inner_path, std::string_view(text).substr(colon + 1));
  return place;
}

Result<std::unique_ptr<fs::Filesystem>> open_unmounted(const Place& place, bool read_only) {
  return fs::Filesystem::open(place.store_path, {.create = false, .read_only = read_only});
}

Result<nlohmann::json> ask_daemon(const Place& place, const nlohmann::json& request) {
  WEIGHTFS_ASSIGN(ControlClient client, ControlClient::connect(place.store_path));
  return client.call(request);
}

}  // namespace weightfs::ops
