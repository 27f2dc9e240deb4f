#include "weightfs/ops/unmount.h"

#include <poll.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <vector>

#include "weightfs/ops/control.h"
#include "weightfs/ops/mount_table.h"

namespace weightfs::ops {
namespace {

Result<MountEntry> require_mount(const std::string& mount_point) {
  WEIGHTFS_ASSIGN(const std::optional<MountEntry> entry, mount_at(mount_point));
  if (!entry) return fail(Code::invalid, "no weightfs is mounted on " + mount_point);
  return *entry;
}

// fusermount3, which is setuid root, unmounts what its caller has mounted.
Status run_fusermount(const std::string& mount_point, bool lazy) {
  std::vector<std::string> arguments = {"fusermount3", lazy ? "-uz" : "-u", "--", mount_point};
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, "fusermount3", nullptr, nullptr, pointers.data(), environ);
  if (error != 0) return fail_errno(error, "can't run fusermount3 (apt install fuse3)");
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Code::busy, "fusermount3 can't unmount " + mount_point);
}

Status busy(const std::string& mount_point) {
  return fail(Code::busy, mount_point + " is in use: close what is open there (fuser -vm " +
                              mount_point + " shows it), or give --lazy");
}

// Readable when the process has ended; nothing where it has gone already.
UniqueFd process_handle(int pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

void wait_for_end(const UniqueFd& process) {
  if (!process) return;
  pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
  while (::poll(&waiting, 1, -1) < 0 && errno == EINTR) {
  }
}

Status sync_over_socket(const std::string& store_path) {
  WEIGHTFS_ASSIGN(ControlClient client, ControlClient::connect(store_path));
  WEIGHTFS_TRY(client.call({{"op", "sync"}}));
  return {};
}

Status sync_by_xattr(const std::string& mount_point) {
  if (::setxattr(mount_point.c_str(), kSyncXattr.data(), "1", 1, 0) != 0) {
    return fail_errno(errno, "can't sync " + mount_point);
  }
  return {};
}

}  // namespace

// The kernel asks the daemon for each statvfs(), and answers stat() from what it has kept.
bool is_dead(const std::string& mount_point) {
  struct statvfs status {};
  return ::statvfs(mount_point.c_str(), &status) != 0 &&
         (errno == ENOTCONN || errno == ECONNABORTED);
}

Status detach(const std::string& mount_point, bool lazy) {
  if (::umount2(mount_point.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) return {};
  if (errno == EBUSY) return busy(mount_point);
  if (errno == EPERM) return run_fusermount(mount_point, lazy);
  return fail_errno(errno, "can't unmount " + mount_point);
}

Status unmount(const std::string& mount_point, const UnmountOptions& options) {
  WEIGHTFS_ASSIGN(const MountEntry entry, require_mount(mount_point));
  Result<ControlClient> client = ControlClient::connect(entry.store_path);
  if (!client && client.error().code == Code::not_found) {
    // Dead, or mounted read-only: nothing to wait for.
    return detach(entry.mount_point, options.lazy || is_dead(entry.mount_point));
  }
  if (!client) return tl::unexpected(std::move(client.error()));
  const UniqueFd daemon = process_handle(client->daemon_pid());
  WEIGHTFS_TRY(client->call({{"op", "sync"}}));
  WEIGHTFS_TRY(detach(entry.mount_point, options.lazy));
  if (!options.lazy) wait_for_end(daemon);
  return {};
}

Status sync(const std::string& mount_point) {
  WEIGHTFS_ASSIGN(const MountEntry entry, require_mount(mount_point));
  const Status over_socket = sync_over_socket(entry.store_path);
  if (over_socket) return over_socket;
  const Code code = over_socket.error().code;
  const bool unreachable = code == Code::access_denied || code == Code::not_found;
  return unreachable ? sync_by_xattr(entry.mount_point) : over_socket;
}

}  // namespace weightfs::ops
