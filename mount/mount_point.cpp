#include "mount_point.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "weightfs/base/fd.h"
#include "weightfs/base/log.h"
#include "weightfs/ops/mount_table.h"
#include "weightfs/ops/unmount.h"
#include "weightfs/store/directory.h"

namespace weightfs::mount {
namespace {

constexpr auto kDevice = "/dev/fuse";
constexpr auto kFuseConfiguration = "/etc/fuse.conf";

Status check_device() {
  const Result<UniqueFd> device = open_file(kDevice, O_RDWR);
  if (device) return {};
  switch (device.error().code) {
    case Code::not_found:
      return fail(Code::not_found,
                  "there is no /dev/fuse: load the module (modprobe fuse), or give "
                  "the container --device /dev/fuse --cap-add SYS_ADMIN");
    case Code::access_denied:
    case Code::not_permitted:
      return fail(Code::access_denied,
                  "no permission to use /dev/fuse: chmod 666 /dev/fuse, or run "
                  "the container with --device /dev/fuse");
    default:
      return tl::unexpected(device.error());
  }
}

bool is_in_search_path(const std::string& program) {
  const char* search_path = std::getenv("PATH");
  std::istringstream directories(search_path == nullptr ? "/usr/bin:/bin" : search_path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (::access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool user_may_allow_other() {
  const Result<std::string> configuration = read_whole_file(kFuseConfiguration);
  std::istringstream lines(configuration.value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (line == "user_allow_other") return true;
  }
  return false;
}

Status check_directory(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      return fail(Code::not_found,
                  fmt::format("the mount point {0} is missing: mkdir -p {0}", path));
    }
    return fail_errno(errno, "can't use the mount point " + path);
  }
  if (S_ISDIR(status.st_mode)) return {};
  return fail(Code::not_directory,
              fmt::format("the mount point {} is not a directory: name an empty one", path));
}

Status check_empty(const std::string& path) {
  std::error_code error;
  const bool empty = std::filesystem::is_empty(path, error);
  if (error) return fail_errno(error.value(), "can't list the mount point " + path);
  if (empty) return {};
  return fail(Code::not_empty, fmt::format("the mount point {} is not empty: name an empty "
                                           "directory, or move what is there away",
                                           path));
}

}  // namespace

Status check_fuse(bool allow_other) {
  WEIGHTFS_TRY(check_device());
  if (::geteuid() == 0) return {};
  if (!is_in_search_path("fusermount3")) {
    return fail(Code::not_found,
                "there is no fusermount3, which mounts for users: apt install fuse3");
  }
  if (allow_other && !user_may_allow_other()) {
    return fail(Code::not_permitted,
                "allow_other is for root, unless /etc/fuse.conf has the line "
                "user_allow_other: add it, or mount as root");
  }
  return {};
}

Status prepare_mount_point(const std::string& path) {
  if (ops::is_dead(path)) {
    log::warning("detaching the dead mount on {}", path);
    WEIGHTFS_TRY(ops::detach(path, /*lazy=*/true));
  }
  WEIGHTFS_ASSIGN(const auto mounted, ops::mount_at(path));
  if (mounted) {
    return fail(Code::busy, fmt::format("{} has {} mounted already: weightfs umount {}", path,
                                        mounted->store_path, path));
  }
  WEIGHTFS_TRY(check_directory(path));
  return check_empty(path);
}

Status check_not_mounted(const std::string& store_path) {
  WEIGHTFS_ASSIGN(const auto mounted, ops::mount_of_store(store_path));
  if (!mounted || ops::is_dead(mounted->mount_point)) return {};
  const Result<int> holder = store::lock_holder(store_path);
  return fail(
      Code::busy,
      fmt::format("{} is mounted on {} already (process {}): weightfs umount {}", store_path,
                  mounted->mount_point, holder.value_or(0), mounted->mount_point));
}

}  // namespace weightfs::mount
