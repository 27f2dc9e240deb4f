#include "mapping.h"

#include <sys/stat.h>

#include <bit>
#include <cinttypes>
#include <cstdio>
#include <sstream>
#include <string>

#include "weightfs/base/fd.h"

namespace weightfs::kv {

std::optional<MutableByteSpan> find_mapping(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::nullopt;
  const auto maps = read_whole_file("/proc/self/maps");
  if (!maps) return std::nullopt;
  std::optional<MutableByteSpan> found;
  std::istringstream lines(*maps);
  for (std::string line; std::getline(lines, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::uint64_t offset = 0;
    std::uint64_t inode = 0;
    // The device is not compared: some file systems show another one there than in stat(2).
    const int count =
        std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64 " %*s %" SCNu64, &begin,
                    &end, &offset, &inode);
    const bool is_start = count == 4 && offset == 0 && inode == status.st_ino;
    if (!is_start || !line.ends_with("data.mdb")) continue;
    const std::size_t size_bytes = end - begin;
    if (!found || found->size() < size_bytes) {
      found = MutableByteSpan(std::bit_cast<std::byte*>(begin), size_bytes);
    }
  }
  return found;
}

}  // namespace weightfs::kv
