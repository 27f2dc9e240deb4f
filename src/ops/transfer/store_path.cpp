#include "store_path.h"

namespace weightfs::ops::transfer {

Result<fs::Attributes> find_path(fs::Filesystem& filesystem, std::string_view path) {
  WEIGHTFS_ASSIGN(fs::Attributes at, filesystem.get_attributes(fs::kRootInode));
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    WEIGHTFS_ASSIGN(at, filesystem.lookup(at.inode, name));
    filesystem.forget(at.inode, 1);
  }
  return at;
}

std::pair<std::string_view, std::string_view> split_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return {"/", path};
  return {slash == 0 ? path.substr(0, 1) : path.substr(0, slash), path.substr(slash + 1)};
}

std::string join_path(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (path.empty() || path.back() != '/') path += '/';
  path += name;
  return path;
}

}  // namespace weightfs::ops::transfer
