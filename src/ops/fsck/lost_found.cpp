// /lost+found, where inodes go that nothing names.
#include <fmt/format.h>
#include <sys/stat.h>

#include "findings.h"

namespace weightfs::ops::fsck {
namespace {

constexpr std::string_view kName = "lost+found";

// Adds a name to a directory's record and to the tables.
void add_name(tree::Change& change, tree::InodeNumber parent, tree::InodeRecord& directory,
              const std::string& name, tree::EntryRecord entry) {
  entry.cookie = directory.next_cookie++;
  ++directory.entry_count;
  if (S_ISDIR(entry.type_mode)) ++directory.link_count;
  change.put_entry(parent, name, entry);
}

Result<tree::InodeNumber> make_directory(tree::Tree& tree) {
  WEIGHTFS_ASSIGN(auto root, tree.inode(tree::kRootInode));
  if (!root) return fail(Code::corrupt, "there is no root directory to put lost+found into");
  WEIGHTFS_ASSIGN(tree::Counters counters, tree.counters());
  WEIGHTFS_ASSIGN(const auto taken, tree.inode(counters.next_inode));
  if (taken) return fail(Code::corrupt, "the store's counters are wrong: repair once more");
  const tree::InodeNumber inode = counters.next_inode++;
  tree::InodeRecord record;
  record.mode = S_IFDIR | 0700;
  record.link_count = 2;
  record.uid = root->uid;
  record.gid = root->gid;
  record.parent = tree::kRootInode;
  clock_gettime(CLOCK_REALTIME, &record.mtime);
  record.atime = record.ctime = record.btime = record.mtime;
  tree::Change change(tree);
  change.put_counters(counters);
  change.put_inode(inode, record);
  add_name(change, tree::kRootInode, *root, std::string(kName),
           {.inode = inode, .type_mode = S_IFDIR, .cookie = 0});
  change.put_inode(tree::kRootInode, *root);
  tree.apply(std::move(change));
  return inode;
}

Result<tree::InodeNumber> find_or_make_directory(tree::Tree& tree) {
  WEIGHTFS_ASSIGN(const auto entry, tree.entry(tree::kRootInode, kName));
  if (!entry) return make_directory(tree);
  if (!S_ISDIR(entry->type_mode)) {
    return fail(Code::exists, "/lost+found is not a directory: rename it, and repair again");
  }
  return entry->inode;
}

}  // namespace

Status put_into_lost_found(tree::Tree& tree, const std::vector<tree::InodeNumber>& inodes) {
  WEIGHTFS_ASSIGN(const tree::InodeNumber lost_found, find_or_make_directory(tree));
  WEIGHTFS_ASSIGN(auto directory, tree.inode(lost_found));
  if (!directory) return fail(Code::corrupt, "/lost+found is damaged");
  tree::Change change(tree);
  for (const tree::InodeNumber inode : inodes) {
    WEIGHTFS_ASSIGN(auto record, tree.inode(inode));
    if (!record) continue;
    add_name(change, lost_found, *directory, fmt::format("#{}", inode),
             {.inode = inode, .type_mode = record->mode & S_IFMT, .cookie = 0});
    if (S_ISDIR(record->mode)) {
      record->parent = lost_found;
    } else {
      record->link_count = 1;
    }
    change.put_inode(inode, *record);
  }
  change.put_inode(lost_found, *directory);
  tree.apply(std::move(change));
  return {};
}

}  // namespace weightfs::ops::fsck
