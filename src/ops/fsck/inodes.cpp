// Inodes by themselves: what they say of their content, and which of them wait to be removed.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "findings.h"
#include "weightfs/file/content.h"

namespace weightfs::ops::fsck {
namespace {

bool is_known_type(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFIFO:
    case S_IFSOCK:
    case S_IFCHR:
    case S_IFBLK:
      return true;
    default:
      return false;
  }
}

void note_content(const tree::ContentRecord& content, Findings& findings, Facts& facts) {
  if (content.recipe != tree::RecipeId::none) ++facts.recipe_users[content.recipe];
  if (!file::is_sealed(content)) ++findings.result().unsealed_files;
  if (content.staging == tree::StagingId::none) return;
  std::uint64_t end = 0;
  for (const tree::ContentRange& range : content.ranges) {
    if (range.kind == tree::RangeKind::staged) end = std::max(end, range.end_bytes);
  }
  facts.staging_ends[content.staging] = end;
  facts.greatest_staging = std::max(facts.greatest_staging, content.staging);
}

Status load_orphans(const Parts& parts, Findings& findings, Facts& facts) {
  constexpr std::size_t kMostOrphans = std::size_t{1} << 24;
  WEIGHTFS_ASSIGN(const std::vector<tree::InodeNumber> orphans, parts.tree.orphans(kMostOrphans));
  for (const tree::InodeNumber inode : orphans) {
    const auto found = facts.inodes.find(inode);
    if (found != facts.inodes.end()) {
      found->second.is_orphan = true;
      ++findings.result().pending_cleanups;
      continue;
    }
    const auto record = parts.tree.inode(inode);
    if (!record) continue;  // damaged, and told already
    findings.problem(fmt::format("inode {} waits to be removed, but is not there", inode),
                     [inode](tree::Change& change) {
                       change.erase_orphan(inode);
                       return Status();
                     });
  }
  return {};
}

}  // namespace

Status load_inodes(const Parts& parts, Findings& findings, Facts& facts) {
  WEIGHTFS_TRY(
      parts.tree.for_each_damaged([&](const std::string& line) { findings.damage(line); }));
  WEIGHTFS_TRY(parts.tree.for_each_inode([&](tree::InodeNumber inode,
                                             const tree::InodeRecord& record) {
    InodeFacts& found = facts.inodes[inode];
    found.mode = record.mode;
    found.link_count = record.link_count;
    found.parent = record.parent;
    found.entry_count = record.entry_count;
    found.next_cookie = record.next_cookie;
    facts.greatest_inode = std::max(facts.greatest_inode, inode);
    if (!is_known_type(record.mode)) {
      findings.problem(fmt::format("inode {} is of no known type (mode {:o})", inode, record.mode));
    }
    if (S_ISREG(record.mode)) note_content(record.content, findings, facts);
    return true;
  }));
  findings.result().inodes = facts.inodes.size();
  const auto root = facts.inodes.find(tree::kRootInode);
  if (root == facts.inodes.end() || !root->second.is_directory()) {
    findings.damage("the root directory is missing");
  }
  WEIGHTFS_TRY(load_orphans(parts, findings, facts));
  return findings.apply_fixes();
}

Status check_xattrs(const Parts& parts, Findings& findings, const Facts& facts) {
  WEIGHTFS_TRY(parts.tree.for_each_xattr([&](tree::InodeNumber inode, const std::string& name) {
    if (facts.inodes.contains(inode) || !parts.tree.inode(inode)) return true;
    findings.problem(
        fmt::format("attribute {} belongs to inode {}, which is not there", name, inode),
        [inode, name](tree::Change& change) {
          change.erase_xattr(inode, name);
          return Status();
        });
    return true;
  }));
  return findings.apply_fixes();
}

}  // namespace weightfs::ops::fsck
