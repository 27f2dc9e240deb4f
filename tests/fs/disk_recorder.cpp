// The plain names of the calls are defined here, so they must not stand for others.
#undef _FILE_OFFSET_BITS

#include "disk_recorder.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <filesystem>
#include <map>
#include <mutex>
#include <stdexcept>

namespace weightfs::testing {
namespace {

using Kind = DiskEvent::Kind;

std::atomic<bool> g_recording{false};
std::mutex g_mutex;  // protects what follows
std::string g_prefix;
DiskLog g_log;

// The path of a file below the directory that is recorded; empty for others.
std::string recorded_path(const std::string& path) {
  const bool below = path.starts_with(g_prefix) && path.size() > g_prefix.size();
  return below ? path.substr(g_prefix.size()) : "";
}

std::string path_of(int fd) {
  char target[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
  std::string path(target, length > 0 ? static_cast<std::size_t>(length) : 0);
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path == g_prefix.substr(0, g_prefix.size() - 1) ? "." : recorded_path(path);
}

std::size_t append(DiskEvent event) {
  const std::lock_guard guard(g_mutex);
  g_log.push_back(std::move(event));
  return g_log.size() - 1;
}

void note_write(int fd, const void* bytes, ssize_t written, off_t offset) {
  if (written <= 0) return;
  const std::string path = path_of(fd);
  if (path.empty()) return;
  const bool synchronous = (::fcntl(fd, F_GETFL) & O_DSYNC) != 0;
  append({.kind = Kind::write,
          .path = path,
          .other = {},
          .offset_bytes = static_cast<std::uint64_t>(offset),
          .bytes = std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(written)),
          .is_synchronous = synchronous});
}

template <class Function>
Function next(const char* name) {
  // dlsym's answer is a function by the interface's contract.
  return __builtin_bit_cast(Function, ::dlsym(RTLD_NEXT, name));
}

int sync_recorded(int fd, int (*sync)(int)) {
  const std::string path = g_recording ? path_of(fd) : "";
  if (path.empty()) return sync(fd);
  const std::size_t begin =
      append({.kind = Kind::sync_begin, .path = path, .other = {}, .bytes = {}});
  const int outcome = sync(fd);
  if (outcome == 0) {
    append({.kind = Kind::sync_end, .path = path, .other = {}, .offset_bytes = begin, .bytes = {}});
  }
  return outcome;
}

}  // namespace

void start_recording(const std::string& directory) {
  const std::lock_guard guard(g_mutex);
  g_prefix = directory + "/";
  g_log.clear();
  g_recording = true;
}

DiskLog stop_recording() {
  g_recording = false;
  const std::lock_guard guard(g_mutex);
  return std::move(g_log);
}

void record_mark(char letter) {
  append({.kind = Kind::mark, .path = {}, .other = {}, .bytes = {}, .letter = letter});
}

}  // namespace weightfs::testing

// The C library's calls, as far as the store makes them.
using namespace weightfs::testing;

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite64");
  const ssize_t written = real(fd, bytes, size, offset);
  if (g_recording) note_write(fd, bytes, written, offset);
  return written;
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) {
  return pwrite(fd, bytes, size, offset);
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset) {
  ssize_t total = 0;
  for (int i = 0; i < count; ++i) {
    const ssize_t written = pwrite(fd, parts[i].iov_base, parts[i].iov_len, offset + total);
    if (written < 0) return total > 0 ? total : -1;
    total += written;
    if (static_cast<size_t>(written) < parts[i].iov_len) break;
  }
  return total;
}

ssize_t pwritev64(int fd, const struct iovec* parts, int count, off_t offset) {
  return pwritev(fd, parts, count, offset);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  static const auto real = next<ssize_t (*)(int, const struct iovec*, int)>("writev");
  const off_t begin = g_recording ? ::lseek(fd, 0, SEEK_CUR) : -1;
  const ssize_t written = real(fd, parts, count);
  off_t done = 0;
  for (int i = 0; begin >= 0 && i < count && done < written; ++i) {
    const auto length = std::min(static_cast<ssize_t>(parts[i].iov_len), written - done);
    note_write(fd, parts[i].iov_base, length, begin + done);
    done += length;
  }
  return written;
}

int fdatasync(int fd) {
  static const auto real = next<int (*)(int)>("fdatasync");
  return sync_recorded(fd, real);
}

int fsync(int fd) {
  static const auto real = next<int (*)(int)>("fsync");
  return sync_recorded(fd, real);
}

int ftruncate(int fd, off_t size) noexcept {
  static const auto real = next<int (*)(int, off_t)>("ftruncate64");
  const int outcome = real(fd, size);
  const std::string path = outcome == 0 && g_recording ? path_of(fd) : "";
  if (!path.empty()) {
    append({.kind = Kind::truncate,
            .path = path,
            .other = {},
            .offset_bytes = static_cast<std::uint64_t>(size),
            .bytes = {}});
  }
  return outcome;
}

int ftruncate64(int fd, off_t size) noexcept {
  return ftruncate(fd, size);
}

// Holes and zeros are bytes to a disk that forgets. What else is allocated is not recorded.
int fallocate(int fd, int mode, off_t offset, off_t length) {
  static const auto real = next<int (*)(int, int, off_t, off_t)>("fallocate64");
  const int outcome = real(fd, mode, offset, length);
  const bool zeroes = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
  struct stat status {};
  if (outcome != 0 || !g_recording || !zeroes || ::fstat(fd, &status) != 0) return outcome;
  const off_t end = std::min(offset + length, status.st_size);
  if (offset < end) {
    const std::string zeros(static_cast<std::size_t>(end - offset), '\0');
    note_write(fd, zeros.data(), end - offset, offset);
  }
  return outcome;
}

int fallocate64(int fd, int mode, off_t offset, off_t length) {
  return fallocate(fd, mode, offset, length);
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  static const auto real = next<int (*)(const char*, int, ...)>("open64");
  const bool creates = g_recording && (flags & O_CREAT) != 0 && ::access(path, F_OK) != 0;
  const int fd = real(path, flags, mode);
  const std::string recorded = creates && fd >= 0 ? path_of(fd) : "";
  if (!recorded.empty()) append({.kind = Kind::create, .path = recorded, .other = {}, .bytes = {}});
  return fd;
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  return open(path, flags, mode);
}

int unlink(const char* path) noexcept {
  static const auto real = next<int (*)(const char*)>("unlink");
  const int outcome = real(path);
  const std::string recorded = outcome == 0 && g_recording ? recorded_path(path) : "";
  if (!recorded.empty()) append({.kind = Kind::remove, .path = recorded, .other = {}, .bytes = {}});
  return outcome;
}

}  // extern "C"
