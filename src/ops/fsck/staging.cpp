// Staging files against the inodes that have them, and the numbers that the store goes on from.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "findings.h"

namespace weightfs::ops::fsck {

Status check_staging(const Parts& parts, Findings& findings, const Facts& facts) {
  WEIGHTFS_ASSIGN(const std::vector<tree::StagingId> files, parts.staging.list());
  for (const tree::StagingId id : files) {
    if (!facts.staging_ends.contains(id)) ++findings.result().pending_cleanups;
  }
  for (const auto& [id, end] : facts.staging_ends) {
    const bool there = std::find(files.begin(), files.end(), id) != files.end();
    if (!there) {
      if (end > 0) {
        findings.problem(
            fmt::format("staging file {}, which has unsealed bytes, is not there", number(id)));
      }
      continue;
    }
    WEIGHTFS_ASSIGN(const auto file, parts.staging.open_existing(id));
    struct stat status {};
    if (::fstat(file->fd(), &status) != 0) return fail_errno(errno, "can't stat a staging file");
    if (static_cast<std::uint64_t>(status.st_size) < end) {
      findings.problem(
          fmt::format("staging file {} has {} bytes of {}", number(id), status.st_size, end));
    }
  }
  return {};
}

Status check_counters(const Parts& parts, Findings& findings, const Facts& facts) {
  WEIGHTFS_ASSIGN(const tree::Counters counters, parts.tree.counters());
  tree::Counters least = counters;
  least.next_inode = std::max(least.next_inode, facts.greatest_inode + 1);
  least.next_recipe = std::max(least.next_recipe, number(facts.greatest_recipe) + 1);
  least.next_staging = std::max(least.next_staging, number(facts.greatest_staging) + 1);
  const bool right = least.next_inode == counters.next_inode &&
                     least.next_recipe == counters.next_recipe &&
                     least.next_staging == counters.next_staging;
  if (right) return {};
  findings.problem("a number that is in use would be given again", [least](tree::Change& change) {
    change.put_counters(least);
    return Status();
  });
  return findings.apply_fixes();
}

}  // namespace weightfs::ops::fsck
