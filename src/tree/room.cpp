#include "weightfs/tree/room.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "weightfs/base/fd.h"

namespace weightfs::tree {
namespace {

struct DataFile {
  UniqueFd fd;
  off_t size_bytes = 0;
};

Result<DataFile> open_data_file(const std::string& path) {
  DataFile file;
  WEIGHTFS_ASSIGN(file.fd, open_file(path + "/data.mdb", O_RDWR));
  struct stat status {};
  if (::fstat(file.fd.get(), &status) != 0) return fail_errno(errno, "can't stat the tables");
  file.size_bytes = status.st_size;
  return file;
}

}  // namespace

Status keep_room(const std::string& path, std::uint64_t wanted_bytes) {
  WEIGHTFS_ASSIGN(const DataFile file, open_data_file(path));
  const auto room_bytes = static_cast<off_t>(wanted_bytes);
  if (::fallocate(file.fd.get(), FALLOC_FL_KEEP_SIZE, file.size_bytes, room_bytes) == 0) return {};
  if (errno == EOPNOTSUPP) return {};
  return fail_errno(errno, "can't keep room for the tables");
}

Status drop_room(const std::string& path) {
  WEIGHTFS_ASSIGN(const DataFile file, open_data_file(path));
  if (::ftruncate(file.fd.get(), file.size_bytes) == 0) return {};
  return fail_errno(errno, "can't give room back");
}

}  // namespace weightfs::tree
