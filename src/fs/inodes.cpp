// Inode records: attributes, and what happens when nobody needs an inode any more.
#include <sys/stat.h>

#include <algorithm>

#include "acl.h"
#include "impl.h"

namespace weightfs::fs {

timespec current_time() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

namespace {

// Data that other files hold too counts as one block here: tools take a file of no blocks for a
// hole.
std::uint64_t blocks_of(const Node& node) {
  const tree::ContentRecord& content = node.record.content;
  std::uint64_t blocks = (content.stored_bytes + 511) / 512;
  struct stat status {};
  if (node.staging && ::fstat(node.staging->fd(), &status) == 0) {
    blocks += static_cast<std::uint64_t>(status.st_blocks);
  }
  return blocks;
}

// What the kernel did to a lent file since it was absorbed.
void show_loan(const Node& node, Attributes& attributes) {
  struct stat status {};
  if (::fstat(node.staging->fd(), &status) != 0) return;
  attributes.size_bytes = static_cast<std::uint64_t>(status.st_size);
  attributes.settled = false;
  if (is_later(status.st_atim, node.loan->seen_atime)) attributes.atime = status.st_atim;
  if (is_later(status.st_mtim, node.loan->seen_mtime)) {
    attributes.mtime = attributes.ctime = status.st_mtim;
  }
}

}  // namespace

Attributes Filesystem::Impl::attributes_of(const Node& node) {
  const tree::InodeRecord& record = node.record;
  Attributes attributes;
  attributes.inode = node.inode;
  attributes.mode = record.mode;
  attributes.link_count = record.link_count;
  attributes.uid = record.uid;
  attributes.gid = record.gid;
  attributes.device = record.device;
  attributes.atime = record.atime;
  attributes.mtime = record.mtime;
  attributes.ctime = record.ctime;
  attributes.btime = record.btime;
  if (node.is_regular()) {
    attributes.size_bytes = record.content.size_bytes;
    attributes.blocks_512 = blocks_of(node);
    attributes.settled = file::is_sealed(record.content) && !node.staging;
    if (node.loan) show_loan(node, attributes);
  } else if (node.is_directory()) {
    attributes.size_bytes = 4096;
  } else {
    attributes.size_bytes = record.symlink_target.size();
  }
  return attributes;
}

void Filesystem::Impl::put_record(tree::Change& change, const Node& node) {
  tree::InodeRecord record = node.record;
  record.content = node.committed;
  change.put_inode(node.inode, record);
}

void Filesystem::Impl::remove_if_unknown(const NodePointer& node) {
  {
    const std::unique_lock guard(node->mutex);
    if (node->removed || node->record.link_count != 0 || !nodes->is_unknown(*node)) return;
    const Result<std::vector<std::string>> names = tree->xattr_names(node->inode);
    const auto counts = references->lock();
    tree::Change change(*tree);
    const tree::StagingId staged = node->record.content.staging;
    node->record.content = {};
    if (!replace_committed(change, *node, tree::ContentRecord{})) return;  // recovery will do it
    if (names) {
      for (const std::string& name : *names) change.erase_xattr(node->inode, name);
    }
    change.erase_inode(node->inode);
    change.erase_orphan(node->inode);
    tree->apply(std::move(change));
    if (staged != tree::StagingId::none) discard_staging(staged);
    node->staging.reset();
    node->removed = true;
  }
  {
    const std::lock_guard guard(dirty_mutex);
    dirty_nodes.erase(node->inode);
  }
  nodes->erase(*node);
}

void Filesystem::forget(InodeNumber inode, std::uint64_t count) {
  const NodePointer node = impl_->nodes->find(inode);
  if (!node || !impl_->nodes->drop_lookups(*node, count)) return;
  impl_->remove_if_unknown(node);
  impl_->nodes->evict(node);
}

Result<Attributes> Filesystem::remember(InodeNumber inode) {
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  impl_->nodes->add_lookup(*node);
  const std::shared_lock guard(node->mutex);
  return impl_->attributes_of(*node);
}

Result<Attributes> Filesystem::get_attributes(InodeNumber inode) {
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  const std::shared_lock guard(node->mutex);
  return impl_->attributes_of(*node);
}

namespace {

timespec chosen(const SetAttributes::Time& time, const timespec& now) {
  return time.now ? now : time.value;
}

void apply_changes(tree::InodeRecord& record, const SetAttributes& changes, const timespec& now) {
  constexpr std::uint32_t kPermissions = 07777;
  if (changes.mode) record.mode = (record.mode & ~kPermissions) | (*changes.mode & kPermissions);
  if (changes.uid) record.uid = *changes.uid;
  if (changes.gid) record.gid = *changes.gid;
  if (changes.atime) record.atime = chosen(*changes.atime, now);
  if (changes.mtime) record.mtime = chosen(*changes.mtime, now);
  record.ctime = changes.ctime.value_or(now);
}

}  // namespace

Result<Attributes> Filesystem::set_attributes(InodeNumber inode, const SetAttributes& changes) {
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  {
    const std::unique_lock guard(node->mutex);
    if (node->removed) return fail(Code::not_found, "no such inode");
    impl_->absorb(*node);
    if (changes.size_bytes) {
      if (node->is_directory()) return fail(Code::is_directory, "a directory has no size to set");
      if (!node->is_regular()) return fail(Code::invalid, "not a regular file");
      WEIGHTFS_TRY(impl_->set_live_size(*node, *changes.size_bytes));
    }
    tree::Change change(*impl_->tree);
    if (changes.mode) WEIGHTFS_TRY(acl::follow_mode(*impl_->tree, change, inode, *changes.mode));
    apply_changes(node->record, changes, current_time());
    impl_->put_record(change, *node);
    impl_->tree->apply(std::move(change));
  }
  if (changes.size_bytes) {
    impl_->mark_dirty(*node);
    if (impl_->nodes->writer_count(*node) == 0) {
      impl_->queue_seal(node, std::chrono::milliseconds(impl_->options.seal_delay_ms));
    }
  }
  const std::shared_lock guard(node->mutex);
  return impl_->attributes_of(*node);
}

}  // namespace weightfs::fs
