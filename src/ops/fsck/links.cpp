// What inodes say of their names: link counts, directories' counts and parents, and who can be
// reached.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "findings.h"

namespace weightfs::ops::fsck {
namespace {

class LinkChecker {
 public:
  LinkChecker(const Parts& parts, Findings& findings, Facts& facts)
      : tree_(parts.tree), findings_(findings), facts_(facts) {}

  Status check() {
    for (const auto& [inode, found] : facts_.inodes) {
      if (found.is_orphan && found.names == 0) continue;
      if (found.is_orphan) keep(inode);
      if (found.is_directory())
        check_directory(inode, found);
      else
        check_file(inode, found);
    }
    WEIGHTFS_TRY(findings_.apply_fixes());
    find_circles();
    return put_away();
  }

 private:
  void keep(tree::InodeNumber inode) {
    findings_.problem(fmt::format("inode {} waits to be removed, but has a name", inode),
                      [inode](tree::Change& change) {
                        change.erase_orphan(inode);
                        return Status();
                      });
  }

  void edit(std::string message, tree::InodeNumber inode,
            std::function<void(tree::InodeRecord&)> change_record) {
    findings_.problem(std::move(message), [this, inode, change_record = std::move(change_record)](
                                              tree::Change& change) {
      return edit_inode(tree_, change, inode, change_record);
    });
  }

  void check_links(tree::InodeNumber inode, const InodeFacts& found, std::uint32_t links) {
    if (found.link_count == links) return;
    edit(fmt::format("inode {} counts {} links and has {}", inode, found.link_count, links), inode,
         [links](tree::InodeRecord& record) { record.link_count = links; });
  }

  void check_file(tree::InodeNumber inode, const InodeFacts& found) {
    if (found.names == 0) {
      unnamed_.push_back(inode);
      return;
    }
    check_links(inode, found, found.names);
  }

  void check_directory(tree::InodeNumber inode, const InodeFacts& found);
  void find_circles();
  Status put_away();

  tree::Tree& tree_;
  Findings& findings_;
  Facts& facts_;
  std::vector<tree::InodeNumber> unnamed_;
};

void LinkChecker::check_directory(tree::InodeNumber inode, const InodeFacts& found) {
  const bool is_root = inode == tree::kRootInode;
  if (!is_root && found.names == 0) unnamed_.push_back(inode);
  check_links(inode, found, 2 + found.subdirectories);
  if (found.entry_count != found.entries) {
    edit(fmt::format("directory {} counts {} entries and has {}", inode, found.entry_count,
                     found.entries),
         inode, [count = found.entries](tree::InodeRecord& record) { record.entry_count = count; });
  }
  if (found.entries > 0 && found.next_cookie <= found.greatest_cookie) {
    edit(fmt::format("directory {} would give a place in its order twice", inode), inode,
         [next = found.greatest_cookie + 1](tree::InodeRecord& record) {
           record.next_cookie = next;
         });
  }
  const tree::InodeNumber parent = is_root ? inode : found.found_parent;
  if ((is_root || found.names > 0) && found.parent != parent) {
    edit(fmt::format("directory {} has {} for its parent, and lies in {}", inode, found.parent,
                     parent),
         inode, [parent](tree::InodeRecord& record) { record.parent = parent; });
  }
}

// Directories that name each other in a circle can't be reached from the root.
void LinkChecker::find_circles() {
  std::unordered_set<tree::InodeNumber> reached{tree::kRootInode};
  for (const tree::InodeNumber inode : unnamed_) reached.insert(inode);
  for (const auto& [inode, found] : facts_.inodes) {
    if (!found.is_directory() || found.is_orphan) continue;
    std::unordered_set<tree::InodeNumber> way;
    tree::InodeNumber at = inode;
    while (!reached.contains(at) && way.insert(at).second) {
      const auto next = facts_.inodes.find(at);
      if (next == facts_.inodes.end() || next->second.names == 0) break;
      at = next->second.found_parent;
    }
    if (!reached.contains(at) && way.contains(at)) {
      findings_.problem(fmt::format("directory {} lies in itself", at));
    }
    reached.insert(way.begin(), way.end());
  }
}

Status LinkChecker::put_away() {
  std::sort(unnamed_.begin(), unnamed_.end());
  for (const tree::InodeNumber inode : unnamed_) {
    findings_.problem(
        fmt::format("nothing names inode {}{}", inode,
                    findings_.repairs() ? fmt::format(": now /lost+found/#{}", inode) : ""),
        [](tree::Change&) { return Status(); });
  }
  if (!findings_.repairs() || unnamed_.empty()) return {};
  return put_into_lost_found(tree_, unnamed_);
}

}  // namespace

Status check_links(const Parts& parts, Findings& findings, Facts& facts) {
  return LinkChecker(parts, findings, facts).check();
}

}  // namespace weightfs::ops::fsck
