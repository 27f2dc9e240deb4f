#include "read_ahead.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "weightfs/base/fd.h"

namespace weightfs::mount {

Status set_read_ahead(const std::string& mount_point, std::size_t kilobytes) {
  struct stat status {};
  if (::stat(mount_point.c_str(), &status) != 0) return fail_errno(errno, mount_point);
  const std::string path =
      fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", major(status.st_dev), minor(status.st_dev));
  WEIGHTFS_ASSIGN(const UniqueFd file, open_file(path, O_WRONLY));
  return write_exactly(file.get(), 0, bytes_of(fmt::format("{}\n", kilobytes)));
}

}  // namespace weightfs::mount
