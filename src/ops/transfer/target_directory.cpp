#include "target_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "store_path.h"

namespace weightfs::ops::transfer {
namespace {

Status make_room(const std::string& target) {
  struct stat status {};
  if (::lstat(target.c_str(), &status) != 0) {
    return errno == ENOENT ? Status() : fail_errno(errno, target);
  }
  if (S_ISDIR(status.st_mode)) return fail(Code::is_directory, target + " is a directory");
  if (::unlink(target.c_str()) != 0) return fail_errno(errno, "can't replace " + target);
  return {};
}

// Attributes that the file system or the user can't have are left out, as cp and rsync do.
Status set_xattrs(const Item& item, const std::string& target) {
  for (const auto& [name, value] : item.xattrs) {
    if (::lsetxattr(target.c_str(), name.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (errno == EPERM || errno == EACCES || errno == EOPNOTSUPP) continue;
    return fail_errno(errno, "can't set " + name + " of " + target);
  }
  return {};
}

}  // namespace

bool is_up_to_date(const Item& item, const std::string& target) {
  struct stat status {};
  return ::lstat(target.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) == item.size_bytes &&
         same_time(status.st_mtim, item.mtime);
}

Status make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail_errno(error.value(), "can't make " + path);
  return {};
}

Status make_special(const Item& item, const std::string& target) {
  WEIGHTFS_TRY(make_room(target));
  const int made = S_ISLNK(item.mode)
                       ? ::symlink(item.symlink_target.c_str(), target.c_str())
                       : ::mknod(target.c_str(), item.mode, static_cast<dev_t>(item.device));
  if (made != 0) return fail_errno(errno, "can't make " + target);
  return set_metadata(item, target);
}

Status make_hard_link(const std::string& first, const std::string& target) {
  struct stat a {};
  struct stat b {};
  const bool same = ::lstat(first.c_str(), &a) == 0 && ::lstat(target.c_str(), &b) == 0 &&
                    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
  if (same) return {};
  WEIGHTFS_TRY(make_room(target));
  if (::link(first.c_str(), target.c_str()) != 0) return fail_errno(errno, "can't link " + target);
  return {};
}

// The owner first, since that takes setuid bits away; the times last, since all else changes them.
Status set_metadata(const Item& item, const std::string& target) {
  if (::geteuid() == 0 && ::lchown(target.c_str(), item.uid, item.gid) != 0) {
    return fail_errno(errno, "can't set the owner of " + target);
  }
  WEIGHTFS_TRY(set_xattrs(item, target));
  if (!S_ISLNK(item.mode) && ::chmod(target.c_str(), item.mode & 07777) != 0) {
    return fail_errno(errno, "can't set the mode of " + target);
  }
  const timespec times[] = {item.atime, item.mtime};
  if (::utimensat(AT_FDCWD, target.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno(errno, "can't set the times of " + target);
  }
  return {};
}

Result<PartialFile> PartialFile::open(const std::string& target) {
  const auto [directory, name] = split_path(target);
  const bool relative = target.find('/') == std::string::npos;
  constexpr std::size_t kMostNameBytes = 200;  // leaves room for what is added
  const std::string partial = fmt::format(".{}.weightfs-part", name.substr(0, kMostNameBytes));
  std::string path = relative ? partial : join_path(directory, partial);
  // What an earlier run left, or somebody's trap: never written through.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail_errno(errno, "can't make " + path);
  WEIGHTFS_ASSIGN(UniqueFd fd, open_file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  return PartialFile(target, std::move(path), std::move(fd));
}

PartialFile::~PartialFile() {
  if (fd_) ::unlink(path_.c_str());
}

Status PartialFile::finish(const Item& item) {
  WEIGHTFS_TRY(set_metadata(item, path_));
  struct stat status {};
  if (::lstat(target_.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(Code::is_directory, target_ + " is a directory");
  }
  if (::rename(path_.c_str(), target_.c_str()) != 0) {
    return fail_errno(errno, "can't rename to " + target_);
  }
  fd_.reset();
  return {};
}

}  // namespace weightfs::ops::transfer
