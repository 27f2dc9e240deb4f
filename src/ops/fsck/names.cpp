// Names against inodes, and the order of a directory against its names.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "findings.h"

namespace weightfs::ops::fsck {
namespace {

constexpr std::size_t kMostNameBytes = 255;

struct NamedEntry {
  tree::InodeNumber parent;
  std::string name;
  tree::EntryRecord entry;
};

std::string told(const NamedEntry& named) {
  return fmt::format("name \"{}\" in directory {}", named.name, named.parent);
}

Findings::Fix erase(const NamedEntry& named) {
  return [named](tree::Change& change) {
    change.erase_entry(named.parent, named.name, named.entry);
    return Status();
  };
}

class NameChecker {
 public:
  NameChecker(const Parts& parts, Findings& findings, Facts& facts)
      : tree_(parts.tree), findings_(findings), facts_(facts) {}

  Status check() {
    WEIGHTFS_TRY(tree_.for_each_entry(
        [this](tree::InodeNumber parent, const std::string& name, const tree::EntryRecord& entry) {
          ++findings_.result().names;
          check_entry({parent, name, entry});
          return true;
        }));
    WEIGHTFS_TRY(findings_.apply_fixes());
    WEIGHTFS_TRY(check_order());
    WEIGHTFS_TRY(findings_.apply_fixes());
    return restore_order();
  }

 private:
  // A record that is there and damaged is not missing.
  bool is_missing(tree::InodeNumber inode) const {
    const auto record = tree_.inode(inode);
    return record && !*record;
  }

  void check_entry(const NamedEntry& named);
  void count(const NamedEntry& named, InodeFacts& parent, InodeFacts& inode);
  Status check_order();
  void check_cookie(tree::InodeNumber parent, const tree::ListedEntry& listed);
  Status restore_order();

  tree::Tree& tree_;
  Findings& findings_;
  Facts& facts_;
};

void NameChecker::check_entry(const NamedEntry& named) {
  const auto parent = facts_.inodes.find(named.parent);
  const auto inode = facts_.inodes.find(named.entry.inode);
  const bool bad_parent = parent == facts_.inodes.end() || !parent->second.is_directory();
  if (bad_parent) {
    if (parent == facts_.inodes.end() && !is_missing(named.parent)) return;
    return findings_.problem(told(named) + ", which is no directory", erase(named));
  }
  if (inode == facts_.inodes.end()) {
    if (!is_missing(named.entry.inode)) return;
    return findings_.problem(
        told(named) + fmt::format(" means inode {}, which is not there", named.entry.inode),
        erase(named));
  }
  if (named.name.size() > kMostNameBytes || named.name.find('/') != std::string::npos) {
    findings_.problem(told(named) + " can't be a name");
  }
  const std::uint32_t type = inode->second.mode & S_IFMT;
  if (named.entry.type_mode != type) {
    findings_.problem(told(named) + " says that it is of another type", [=](tree::Change& change) {
      tree::EntryRecord entry = named.entry;
      entry.type_mode = type;
      change.put_entry(named.parent, named.name, entry);
      return Status();
    });
  }
  if (inode->second.is_directory() && inode->second.names > 0) {
    return findings_.problem(told(named) + " is a directory's second name", erase(named));
  }
  count(named, parent->second, inode->second);
}

void NameChecker::count(const NamedEntry& named, InodeFacts& parent, InodeFacts& inode) {
  ++parent.entries;
  parent.greatest_cookie = std::max(parent.greatest_cookie, named.entry.cookie);
  if (inode.is_directory()) ++parent.subdirectories;
  ++inode.names;
  inode.found_parent = named.parent;
}

Status NameChecker::check_order() {
  return tree_.for_each_cookie([this](tree::InodeNumber parent, const tree::ListedEntry& listed) {
    check_cookie(parent, listed);
    return true;
  });
}

// A cookie's record has all that a name's record has, so either can be made from the other.
void NameChecker::check_cookie(tree::InodeNumber parent, const tree::ListedEntry& listed) {
  const NamedEntry named{
      parent,
      listed.entry.name,
      {.inode = listed.entry.inode, .type_mode = listed.entry.type_mode, .cookie = listed.cookie}};
  const auto entry = tree_.entry(parent, named.name);
  if (!entry) return;  // damaged, and told already
  const auto directory = facts_.inodes.find(parent);
  const auto inode = facts_.inodes.find(named.entry.inode);
  const bool matches = *entry && (*entry)->cookie == listed.cookie &&
                       (*entry)->inode == listed.entry.inode &&
                       (*entry)->type_mode == listed.entry.type_mode;
  if (matches) {
    if (directory != facts_.inodes.end()) ++directory->second.cookies;
    return;
  }
  const bool same_place = *entry && (*entry)->cookie == listed.cookie;
  if (same_place) {
    if (directory != facts_.inodes.end()) ++directory->second.cookies;
    return findings_.problem(told(named) + " is another one in the directory's order",
                             [named, kept = **entry](tree::Change& change) {
                               change.put_entry(named.parent, named.name, kept);
                               return Status();
                             });
  }
  const bool restorable = !*entry && directory != facts_.inodes.end() &&
                          directory->second.is_directory() && inode != facts_.inodes.end() &&
                          inode->second.names == 0 && !inode->second.is_orphan;
  if (restorable) {
    count(named, directory->second, inode->second);
    ++directory->second.cookies;
    return findings_.problem(told(named) + " is only in the directory's order",
                             [named](tree::Change& change) {
                               change.put_entry(named.parent, named.name, named.entry);
                               return Status();
                             });
  }
  findings_.problem(told(named) + " is in the directory's order at a place that is not its own",
                    [this, named](tree::Change& change) -> Status {
                      WEIGHTFS_ASSIGN(const auto kept, tree_.entry(named.parent, named.name));
                      change.erase_entry(named.parent, named.name, named.entry);
                      if (kept) change.put_entry(named.parent, named.name, *kept);
                      return {};
                    });
}

// Names that the order has no place for. Only directories whose numbers differ are looked at again.
Status NameChecker::restore_order() {
  std::unordered_set<tree::InodeNumber> incomplete;
  for (const auto& [inode, found] : facts_.inodes) {
    if (found.is_directory() && found.cookies != found.entries) incomplete.insert(inode);
  }
  if (incomplete.empty()) return {};
  WEIGHTFS_TRY(tree_.for_each_entry([&](tree::InodeNumber parent, const std::string& name,
                                        const tree::EntryRecord& entry) {
    if (!incomplete.contains(parent)) return true;
    const auto listed = tree_.list(parent, entry.cookie, 1);
    const bool is_listed = listed && !listed->empty() && listed->front().cookie == entry.cookie &&
                           listed->front().entry.name == name;
    if (is_listed) return true;
    const NamedEntry named{parent, name, entry};
    // A place of its own, behind all others: the one it says may be another name's.
    const std::uint64_t cookie = ++facts_.inodes.at(parent).greatest_cookie;
    findings_.problem(told(named) + " is missing in the directory's order",
                      [named, cookie](tree::Change& change) {
                        tree::EntryRecord moved = named.entry;
                        moved.cookie = cookie;
                        change.put_entry(named.parent, named.name, moved);
                        return Status();
                      });
    return true;
  }));
  return findings_.apply_fixes();
}

}  // namespace

Status check_names(const Parts& parts, Findings& findings, Facts& facts) {
  return NameChecker(parts, findings, facts).check();
}

}  // namespace weightfs::ops::fsck
