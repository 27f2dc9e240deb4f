#include "weightfs/base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace weightfs {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return fail_errno(errno, "can't open " + path);
  return UniqueFd(fd);
}

Result<std::size_t> read_up_to(int fd, std::uint64_t offset_bytes, MutableByteSpan target) {
  std::size_t done = 0;
  while (done < target.size()) {
    const ssize_t count = ::pread(fd, target.data() + done, target.size() - done,
                                  static_cast<off_t>(offset_bytes + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Status read_exactly(int fd, std::uint64_t offset_bytes, MutableByteSpan target) {
  WEIGHTFS_ASSIGN(const std::size_t done, read_up_to(fd, offset_bytes, target));
  if (done != target.size())
    return fail(Code::io, "the file ends before the bytes that were asked for");
  return {};
}

Status write_exactly(int fd, std::uint64_t offset_bytes, ByteSpan source) {
  std::size_t done = 0;
  while (done < source.size()) {
    const ssize_t count = ::pwrite(fd, source.data() + done, source.size() - done,
                                   static_cast<off_t>(offset_bytes + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "write");
    done += static_cast<std::size_t>(count);
  }
  return {};
}

Status sync_data(int fd) {
  if (::fdatasync(fd) != 0) return fail_errno(errno, "fdatasync");
  return {};
}

Status sync_directory(const std::string& path) {
  WEIGHTFS_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "fsync " + path);
  return {};
}

Result<std::string> read_whole_file(const std::string& path) {
  WEIGHTFS_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY));
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "can't read " + path);
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

Result<FdSource> FdSource::open(const std::string& path) {
  WEIGHTFS_ASSIGN(UniqueFd fd, open_file(path, O_RDONLY));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "can't stat " + path);
  return FdSource(std::move(fd), static_cast<std::uint64_t>(status.st_size));
}

Status FdSource::read_at(std::uint64_t offset_bytes, MutableByteSpan target) const {
  return read_exactly(fd_.get(), offset_bytes, target);
}

std::uint64_t FdSource::next_data(std::uint64_t offset_bytes) const {
  const off_t found = ::lseek(fd_.get(), static_cast<off_t>(offset_bytes), SEEK_DATA);
  if (found >= 0) return static_cast<std::uint64_t>(found);
  return errno == ENXIO ? size_bytes_ : offset_bytes;
}

}  // namespace weightfs
