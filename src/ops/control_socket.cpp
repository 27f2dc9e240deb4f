#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>

#include "weightfs/ops/control.h"

namespace weightfs::ops {
namespace {

constexpr int kBacklog = 16;

// sun_path holds 108 bytes, less than paths are long: so the directory is named by a descriptor.
sockaddr_un address_in(int directory_fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory_fd,
                kControlSocketName.data());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return std::bit_cast<const sockaddr*>(&address);
}

Result<UniqueFd> make_socket() {
  UniqueFd made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!made) return fail_errno(errno, "can't make a socket");
  return made;
}

}  // namespace

Result<UniqueFd> listen_on_control_socket(const std::string& store_path) {
  WEIGHTFS_ASSIGN(const UniqueFd directory, open_file(store_path, O_PATH | O_DIRECTORY));
  WEIGHTFS_ASSIGN(UniqueFd listener, make_socket());
  // What a killed daemon left: whoever calls this has the store's lock.
  ::unlinkat(directory.get(), kControlSocketName.data(), 0);
  const sockaddr_un address = address_in(directory.get());
  if (::bind(listener.get(), generic(address), sizeof address) != 0) {
    return fail_errno(errno, "can't make the control socket in " + store_path);
  }
  if (::fchmodat(directory.get(), kControlSocketName.data(), 0600, 0) != 0) {
    return fail_errno(errno, "can't protect the control socket in " + store_path);
  }
  if (::listen(listener.get(), kBacklog) != 0) {
    return fail_errno(errno, "can't listen on the control socket in " + store_path);
  }
  return listener;
}

Result<UniqueFd> connect_to_control_socket(const std::string& store_path) {
  WEIGHTFS_ASSIGN(const UniqueFd directory, open_file(store_path, O_PATH | O_DIRECTORY));
  WEIGHTFS_ASSIGN(UniqueFd connection, make_socket());
  const sockaddr_un address = address_in(directory.get());
  if (::connect(connection.get(), generic(address), sizeof address) == 0) return connection;
  const int error = errno;
  if (error == ENOENT || error == ECONNREFUSED) {
    return fail(Code::not_found, "no daemon has the store " + store_path + " mounted");
  }
  return fail_errno(error, "can't reach the daemon of " + store_path);
}

}  // namespace weightfs::ops
