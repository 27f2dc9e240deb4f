#include "posix_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

using Path = const std::string&;

int open_and_close(Path path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  const int error = error_of(fd);
  if (fd >= 0) ::close(fd);
  return error;
}

int set_times(Path path, int flags) {
  return error_of(::utimensat(AT_FDCWD, path.c_str(), nullptr, flags));
}

std::vector<PathCall> looking_calls() {
  using enum PathRole;
  return {
      {"stat", follows, false,
       [](Path path, Path) {
         struct stat status {};
         return error_of(::stat(path.c_str(), &status));
       }},
      {"lstat", itself, false,
       [](Path path, Path) {
         struct stat status {};
         return error_of(::lstat(path.c_str(), &status));
       }},
      {"access", follows, false,
       [](Path path, Path) { return error_of(::access(path.c_str(), F_OK)); }},
      {"statvfs", follows, false,
       [](Path path, Path) {
         struct statvfs status {};
         return error_of(::statvfs(path.c_str(), &status));
       }},
      {"open to read", follows, false,
       [](Path path, Path) { return open_and_close(path, O_RDONLY); }},
      {"listxattr", follows, false,
       [](Path path, Path) { return error_of(::listxattr(path.c_str(), nullptr, 0)); }},
  };
}

std::vector<PathCall> changing_calls() {
  using enum PathRole;
  return {
      {"open to write", follows, true,
       [](Path path, Path) { return open_and_close(path, O_WRONLY); }},
      {"truncate", follows, true,
       [](Path path, Path) { return error_of(::truncate(path.c_str(), 123)); }},
      {"chmod", follows, true,
       [](Path path, Path) { return error_of(::chmod(path.c_str(), 0642)); }},
      {"chown", follows, true,
       [](Path path, Path) { return error_of(::chown(path.c_str(), 65534, 65534)); }},
      {"lchown", itself, true,
       [](Path path, Path) { return error_of(::lchown(path.c_str(), 65534, 65534)); }},
      {"utimensat", follows, true, [](Path path, Path) { return set_times(path, 0); }},
      {"utimensat of a link", itself, true,
       [](Path path, Path) { return set_times(path, AT_SYMLINK_NOFOLLOW); }},
      {"setxattr", follows, true,
       [](Path path, Path) { return error_of(::setxattr(path.c_str(), "trusted.a", "1", 1, 0)); }},
      {"link from", itself, true,
       [](Path path, Path helper) {
         return error_of(::link(path.c_str(), (helper + "-linked").c_str()));
       }},
  };
}

std::vector<PathCall> naming_calls() {
  using enum PathRole;
  return {
      {"mkdir", makes, true, [](Path path, Path) { return error_of(::mkdir(path.c_str(), 0755)); }},
      {"mkfifo", makes, true,
       [](Path path, Path) { return error_of(::mkfifo(path.c_str(), 0644)); }},
      {"mknod", makes, true,
       [](Path path, Path) { return error_of(::mknod(path.c_str(), S_IFSOCK | 0644, 0)); }},
      {"symlink", makes, true,
       [](Path path, Path) { return error_of(::symlink("test", path.c_str())); }},
      {"link to", makes, true,
       [](Path path, Path helper) { return error_of(::link(helper.c_str(), path.c_str())); }},
      {"open exclusively", makes, true,
       [](Path path, Path) { return open_and_close(path, O_CREAT | O_EXCL | O_RDWR); }},
      {"unlink", removes, true, [](Path path, Path) { return error_of(::unlink(path.c_str())); }},
      {"rmdir", removes, true, [](Path path, Path) { return error_of(::rmdir(path.c_str())); }},
      {"rename from", removes, true,
       [](Path path, Path helper) {
         return error_of(::rename(path.c_str(), (helper + "-renamed").c_str()));
       }},
  };
}

}  // namespace

const std::vector<PathCall>& path_calls() {
  static const std::vector<PathCall> calls = [] {
    std::vector<PathCall> all = looking_calls();
    for (const auto& more : {changing_calls(), naming_calls()}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }();
  return calls;
}

}  // namespace weightfs::mount
