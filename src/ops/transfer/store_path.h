// Paths in an open store.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "weightfs/fs/filesystem.h"

namespace weightfs::ops::transfer {

// What a path means, without following symbolic links. No lookup stays counted.
Result<fs::Attributes> find_path(fs::Filesystem& filesystem, std::string_view path);

// "/a/b/c" -> "/a/b" and "c".
std::pair<std::string_view, std::string_view> split_path(std::string_view path);
std::string join_path(std::string_view directory, std::string_view name);

// A lookup that functions of fs::Filesystem counted, given back at the end.
class Looked {
 public:
  Looked(fs::Filesystem& filesystem, fs::InodeNumber inode)
      : filesystem_(filesystem), inode_(inode) {}
  ~Looked() { filesystem_.forget(inode_, 1); }
  Looked(const Looked&) = delete;
  Looked& operator=(const Looked&) = delete;

 private:
  fs::Filesystem& filesystem_;
  fs::InodeNumber inode_;
};

}  // namespace weightfs::ops::transfer
