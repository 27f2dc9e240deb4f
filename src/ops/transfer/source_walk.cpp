#include "source_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "store_path.h"

namespace weightfs::ops::transfer {
namespace {

constexpr std::size_t kLargestXattr = 65536;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<std::vector<std::string>> names_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) return fail_errno(errno, "can't list " + path);
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return fail_errno(errno, "can't list " + path);
  std::sort(names.begin(), names.end());
  return names;
}

// File systems without extended attributes have none.
std::vector<std::pair<std::string, std::string>> xattrs_of(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> xattrs;
  std::string list(kLargestXattr, '\0');
  const ssize_t list_size = ::llistxattr(path.c_str(), list.data(), list.size());
  if (list_size <= 0) return xattrs;
  list.resize(static_cast<std::size_t>(list_size));
  std::string value(kLargestXattr, '\0');
  for (std::size_t begin = 0; begin < list.size();) {
    const std::string name = list.c_str() + begin;
    begin += name.size() + 1;
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    const bool portable = name.starts_with("user.") || name.starts_with("trusted.") ||
                          name.starts_with("security.capability") ||
                          name.starts_with("system.posix_acl_");
    if (size >= 0 && portable) {
      xattrs.emplace_back(name, value.substr(0, static_cast<std::size_t>(size)));
    }
  }
  return xattrs;
}

Result<std::string> symlink_target(const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) return fail_errno(errno, "can't read the link " + path);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

// Who is not root owns what is copied, and does not hand out others' setuid bits.
void set_owner(const struct stat& status, Item& item) {
  item.uid = status.st_uid;
  item.gid = status.st_gid;
  if (::geteuid() == 0) return;
  if (status.st_uid != ::geteuid()) item.mode &= ~static_cast<std::uint32_t>(S_ISUID | S_ISGID);
  item.uid = ::geteuid();
  item.gid = ::getegid();
}

Item item_of(const struct stat& status, const std::string& source, const std::string& store_path) {
  Item item;
  item.path = store_path;
  item.mode = status.st_mode;
  item.link_count = static_cast<std::uint32_t>(status.st_nlink);
  item.device = status.st_rdev;
  item.size_bytes = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  item.atime = status.st_atim;
  item.mtime = status.st_mtim;
  item.xattrs = xattrs_of(source);
  set_owner(status, item);
  return item;
}

}  // namespace

SourceWalk::SourceWalk(Callbacks callbacks, const std::string& excluded_path)
    : callbacks_(std::move(callbacks)) {
  struct stat status {};
  if (::stat(excluded_path.c_str(), &status) == 0) excluded_ = {status.st_dev, status.st_ino};
}

Status SourceWalk::note_error(const std::string& source, const Error& error) {
  callbacks_.error(source, error);
  return {};
}

Status SourceWalk::walk(const std::string& source, const std::string& store_path,
                        bool contents_only) {
  if (!contents_only) return visit(source, store_path);
  struct stat status {};
  if (::stat(source.c_str(), &status) != 0) {
    return note_error(source, system_error(errno, source));
  }
  return visit_directory(source, item_of(status, source, store_path), /*contents_only=*/true);
}

Status SourceWalk::visit(const std::string& source, const std::string& store_path) {
  struct stat status {};
  if (::lstat(source.c_str(), &status) != 0) {
    return note_error(source, system_error(errno, source));
  }
  if (std::pair<std::uint64_t, std::uint64_t>(status.st_dev, status.st_ino) == excluded_) {
    return note_error(source, {Code::invalid, "this is the store itself"});
  }
  Item item = item_of(status, source, store_path);
  if (S_ISDIR(status.st_mode)) return visit_directory(source, std::move(item), false);
  if (status.st_nlink > 1) {
    const auto [first, is_first] = linked_.try_emplace({status.st_dev, status.st_ino}, store_path);
    if (!is_first) {
      item.hard_link_to = first->second;
      return callbacks_.item(item, source, UniqueFd());
    }
  }
  if (S_ISREG(status.st_mode)) return visit_file(source, item);
  const bool is_device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
  if (is_device && ::geteuid() != 0) {
    return note_error(source, {Code::not_permitted, "only root can copy devices"});
  }
  if (S_ISLNK(status.st_mode)) {
    auto target = symlink_target(source);
    if (!target) return note_error(source, target.error());
    item.symlink_target = std::move(*target);
  }
  return callbacks_.item(item, source, UniqueFd());
}

Status SourceWalk::visit_file(const std::string& source, Item& item) {
  auto fd = open_file(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) return note_error(source, fd.error());
  struct stat status {};  // of what was opened: it may be another file by now
  if (::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return note_error(source, {Code::again, "changed while it was read"});
  }
  item.size_bytes = static_cast<std::uint64_t>(status.st_size);
  item.mtime = status.st_mtim;
  return callbacks_.item(item, source, std::move(*fd));
}

Status SourceWalk::visit_directory(const std::string& source, Item item, bool contents_only) {
  const auto names = names_in(source);
  if (!names) return note_error(source, names.error());
  if (!contents_only) WEIGHTFS_TRY(callbacks_.item(item, source, UniqueFd()));
  for (const std::string& name : *names) {
    WEIGHTFS_TRY(visit(join_path(source, name), join_path(item.path, name)));
  }
  if (contents_only) return {};
  item.is_finish = true;
  return callbacks_.item(item, source, UniqueFd());
}

SourceTotals count_source(const std::string& source) {
  SourceTotals totals;
  struct stat status {};
  if (::lstat(source.c_str(), &status) != 0) return totals;
  if (S_ISREG(status.st_mode)) {
    return {.files = 1, .bytes = static_cast<std::uint64_t>(status.st_size)};
  }
  if (!S_ISDIR(status.st_mode)) return totals;
  const auto names = names_in(source);
  if (!names) return totals;
  for (const std::string& name : *names) {
    const SourceTotals below = count_source(join_path(source, name));
    totals.files += below.files;
    totals.bytes += below.bytes;
  }
  return totals;
}

}  // namespace weightfs::ops::transfer
