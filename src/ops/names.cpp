#include "names.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace weightfs::ops {
namespace {

// Deeper than any path that can be made; ends walks in a damaged tree with a circle in it.
constexpr int kDeepestPath = 4096;

}  // namespace

Result<NameIndex> NameIndex::build(const tree::Tree& tree,
                                   const std::unordered_set<tree::InodeNumber>* wanted) {
  NameIndex index;
  WEIGHTFS_TRY(tree.for_each_entry(
      [&](tree::InodeNumber parent, const std::string& name, const tree::EntryRecord& entry) {
        const bool is_directory = (entry.type_mode & S_IFMT) == S_IFDIR;
        if (is_directory || !wanted || wanted->contains(entry.inode)) {
          index.names_.try_emplace(entry.inode, Name{parent, name});
        }
        return true;
      }));
  return index;
}

std::string NameIndex::path_of(tree::InodeNumber inode) const {
  std::string path;
  tree::InodeNumber at = inode;
  for (int depth = 0; at != tree::kRootInode && depth < kDeepestPath; ++depth) {
    const auto found = names_.find(at);
    if (found == names_.end()) return fmt::format("inode {}", inode) + path;
    path.insert(0, "/" + found->second.name);
    at = found->second.parent;
  }
  return path.empty() ? "/" : path;
}

}  // namespace weightfs::ops
