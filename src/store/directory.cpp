#include "weightfs/store/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>

#include <fmt/format.h>

namespace weightfs::store {
namespace {

constexpr std::string_view kFormatPrefix = "weightfs store ";
constexpr int kFormatVersion = 1;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<bool> is_empty_directory(const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) return fail_errno(errno, "can't list " + path);
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name != "lost+found" && name != "lock") return false;
  }
  return true;
}

Status make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const bool last = slash == std::string::npos;
    if (::mkdir(part.c_str(), last ? 0700 : 0755) != 0 && errno != EEXIST) {
      return fail_errno(errno, "can't make the store directory " + part);
    }
    if (last) return {};
  }
}

Result<std::string> absolute(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr),
                                                             &std::free);
  if (!resolved) return fail_errno(errno, path);
  return std::string(resolved.get());
}

Status write_format(const std::string& path) {
  const std::string file = path + "/format";
  const std::string temporary = file + ".new";
  {
    WEIGHTFS_ASSIGN(const UniqueFd fd, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    WEIGHTFS_TRY(
        write_exactly(fd.get(), 0, bytes_of(fmt::format("{}{}\n", kFormatPrefix, kFormatVersion))));
    WEIGHTFS_TRY(sync_data(fd.get()));
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0)
    return fail_errno(errno, "rename " + temporary);
  return sync_directory(path);
}

Status check_format(const std::string& path, const std::string& text) {
  int version = 0;
  const bool prefixed = text.starts_with(kFormatPrefix);
  const char* begin = text.data() + std::min(text.size(), kFormatPrefix.size());
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), version);
  if (!prefixed || error != std::errc()) {
    return fail(Code::corrupt, path + "/format is damaged: it should read \"weightfs store 1\"");
  }
  if (version > kFormatVersion) {
    return fail(
        Code::newer_version,
        fmt::format("{} was made by a newer weightfs (format {}, this one reads {}): upgrade", path,
                    version, kFormatVersion));
  }
  return {};
}

int pid_in(int lock_fd) {
  char text[32] = {};
  const ssize_t length = ::pread(lock_fd, text, sizeof text - 1, 0);
  int pid = 0;
  if (length > 0) std::from_chars(text, text + length, pid);
  return pid;
}

Result<UniqueFd> take_lock(const std::string& path) {
  WEIGHTFS_ASSIGN(UniqueFd fd, open_file(path + "/lock", O_RDWR | O_CREAT, 0600));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "can't lock " + path);
    return fail(Code::busy, fmt::format("{} is in use by process {}: unmount it first", path,
                                        pid_in(fd.get())));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0) return fail_errno(errno, "can't write " + path + "/lock");
  WEIGHTFS_TRY(write_exactly(fd.get(), 0, bytes_of(pid)));
  return fd;
}

Status prepare(const std::string& path, const Directory::Options& options) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return fail_errno(errno, path);
    if (!options.create || options.read_only) {
      return fail(Code::not_found, "there is no store at " + path);
    }
    return make_directories(path);
  }
  if (S_ISDIR(status.st_mode)) return {};
  return fail(Code::invalid, path + " is not a directory: name a store's directory, or a new one");
}

}  // namespace

Result<Directory> Directory::open(const std::string& wanted_path, const Options& options) {
  WEIGHTFS_TRY(prepare(wanted_path, options));
  WEIGHTFS_ASSIGN(const std::string path, absolute(wanted_path));
  const Result<std::string> format = read_whole_file(path + "/format");
  if (!format && format.error().code != Code::not_found) return tl::unexpected(format.error());
  if (!format) {
    WEIGHTFS_ASSIGN(const bool empty, is_empty_directory(path));
    if (!empty) {
      return fail(Code::invalid, path + " is neither a weightfs store nor an empty directory");
    }
    if (!options.create || options.read_only) {
      return fail(Code::not_found, "there is no store at " + path);
    }
  } else {
    WEIGHTFS_TRY(check_format(path, *format));
  }
  UniqueFd lock;
  if (!options.read_only) {
    WEIGHTFS_ASSIGN(lock, take_lock(path));
    if (!format) WEIGHTFS_TRY(write_format(path));
  }
  return Directory(path, std::move(lock));
}

Result<int> lock_holder(const std::string& store_path) {
  Result<UniqueFd> fd = open_file(store_path + "/lock", O_RDWR);
  if (!fd) {
    if (fd.error().code == Code::not_found) return 0;
    return tl::unexpected(fd.error());
  }
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) == 0) return 0;
  if (errno != EWOULDBLOCK) return fail_errno(errno, "can't lock " + store_path);
  return pid_in(fd->get());
}

}  // namespace weightfs::store
