// From inode numbers back to paths.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "weightfs/tree/tree.h"

namespace weightfs::ops {

// Names of directories, and of the inodes that were asked for, from one walk over all entries.
class NameIndex {
 public:
  // Names of `wanted`, and of all inodes where `wanted` is nullptr.
  static Result<NameIndex> build(const tree::Tree& tree,
                                 const std::unordered_set<tree::InodeNumber>* wanted);

  // "/a/b" by the first name that was found; "inode 7" where nothing names it.
  std::string path_of(tree::InodeNumber inode) const;

 private:
  struct Name {
    tree::InodeNumber parent = 0;
    std::string name;
  };
  std::unordered_map<tree::InodeNumber, Name> names_;
};

}  // namespace weightfs::ops
