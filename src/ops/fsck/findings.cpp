#include "findings.h"

#include <sys/stat.h>

namespace weightfs::ops::fsck {

bool InodeFacts::is_directory() const {
  return S_ISDIR(mode);
}

void Findings::add(std::string message, bool corrected) {
  result_.problems.push_back({.message = std::move(message), .is_corrected = corrected});
}

void Findings::problem(std::string message, Fix fix) {
  add(std::move(message), repair_);
  if (repair_) fixes_.push_back(std::move(fix));
}

Status Findings::apply_fixes() {
  for (const Fix& fix : fixes_) {
    tree::Change change(tree_);
    WEIGHTFS_TRY(fix(change));
    tree_.apply(std::move(change));
  }
  fixes_.clear();
  return {};
}

Status edit_inode(tree::Tree& tree, tree::Change& change, tree::InodeNumber inode,
                  const std::function<void(tree::InodeRecord&)>& edit) {
  WEIGHTFS_ASSIGN(std::optional<tree::InodeRecord> record, tree.inode(inode));
  if (!record) return fail(Code::corrupt, "an inode went away while it was repaired");
  edit(*record);
  change.put_inode(inode, *record);
  return {};
}

}  // namespace weightfs::ops::fsck
