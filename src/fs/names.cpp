// Names: looking up, making and removing. Renaming is in rename.cpp.
#include <sys/stat.h>

#include <limits>

#include "impl.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kLongestTargetBytes = 4095;  // PATH_MAX without its zero
constexpr std::uint32_t kMostLinks = std::numeric_limits<std::uint32_t>::max() - 1;

Status check_parent(const Node& parent) {
  if (!parent.is_directory()) return fail(Code::not_directory, "not a directory");
  if (parent.removed || parent.record.link_count == 0) {
    return fail(Code::not_found, "the directory was removed");
  }
  return {};
}

}  // namespace

Status check_name(std::string_view name) {
  if (name.size() > kMaxNameBytes) return fail(Code::name_too_long, "a name has 255 bytes at most");
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos) {
    return fail(Code::invalid, "not a name");
  }
  return {};
}

Result<tree::EntryRecord> Filesystem::Impl::find_entry(InodeNumber parent, std::string_view name) {
  WEIGHTFS_ASSIGN(const std::optional<tree::EntryRecord> entry, tree->entry(parent, name));
  if (!entry) return fail(Code::not_found, "no such file or directory");
  return *entry;
}

Result<Attributes> Filesystem::lookup(InodeNumber parent, std::string_view name) {
  const std::shared_lock names(impl_->names_mutex);
  InodeNumber found = parent;
  if (name.size() > kMaxNameBytes) return fail(Code::name_too_long, "a name has 255 bytes at most");
  if (name == "..") {  // asked by NFS servers
    WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(parent));
    const std::shared_lock guard(node->mutex);
    found = node->record.parent;
  } else if (name != ".") {
    WEIGHTFS_ASSIGN(const tree::EntryRecord entry, impl_->find_entry(parent, name));
    found = entry.inode;
  }
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(found));
  impl_->nodes->add_lookup(*node);
  const std::unique_lock guard(node->mutex);
  if (node->parent_hint != parent || node->name_hint != name) {
    node->parent_hint = parent;
    node->name_hint = name;
  }
  return impl_->attributes_of(*node);
}

Result<NodePointer> Filesystem::Impl::make_inode(const NewInode& wanted) {
  if (options.read_only) return fail(Code::read_only, "mounted read-only");
  if (disk_full) return fail(Code::no_space, "the store's disk is full");
  WEIGHTFS_TRY(check_name(wanted.name));
  WEIGHTFS_ASSIGN(const NodePointer parent, nodes->get(wanted.parent));
  const std::unique_lock guard(parent->mutex);
  WEIGHTFS_TRY(check_parent(*parent));
  WEIGHTFS_ASSIGN(const auto existing, tree->entry(wanted.parent, wanted.name));
  if (existing) return fail(Code::exists, "the name exists");

  const InodeNumber number = ids->next_inode();
  const bool is_directory = (wanted.mode & S_IFMT) == S_IFDIR;
  tree::Change change(*tree);
  tree::InodeRecord record;
  record.mode = wanted.mode;
  record.uid = wanted.caller.uid;
  record.gid = wanted.caller.gid;
  if ((parent->record.mode & S_ISGID) != 0) {
    record.gid = parent->record.gid;
    if (is_directory) record.mode |= S_ISGID;
  }
  WEIGHTFS_TRY(inherit_acl(change, wanted.parent, number, record.mode, wanted.caller.umask));
  record.link_count = is_directory ? 2 : 1;
  record.device = wanted.device;
  record.parent = is_directory ? wanted.parent : 0;
  record.symlink_target = wanted.symlink_target;
  record.atime = record.mtime = record.ctime = record.btime = current_time();

  tree::InodeRecord& parent_record = parent->record;
  change.put_entry(
      wanted.parent, wanted.name,
      {.inode = number, .type_mode = record.mode & S_IFMT, .cookie = parent_record.next_cookie});
  change.put_inode(number, record);
  ++parent_record.next_cookie;
  ++parent_record.entry_count;
  if (is_directory) ++parent_record.link_count;
  parent_record.mtime = parent_record.ctime = record.ctime;
  put_record(change, *parent);
  tree->apply(std::move(change));
  return nodes->insert(number, std::move(record));
}

Result<Attributes> Filesystem::make_node(InodeNumber parent, std::string_view name,
                                         std::uint32_t mode, std::uint64_t device,
                                         const Caller& caller) {
  if ((mode & S_IFMT) == 0) mode |= S_IFREG;
  const std::unique_lock names(impl_->names_mutex);
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->make_inode({.parent = parent,
                                                             .name = name,
                                                             .mode = mode,
                                                             .device = device,
                                                             .symlink_target = {},
                                                             .caller = caller}));
  impl_->nodes->add_lookup(*node);
  const std::shared_lock guard(node->mutex);
  return impl_->attributes_of(*node);
}

Result<Attributes> Filesystem::make_directory(InodeNumber parent, std::string_view name,
                                              std::uint32_t mode, const Caller& caller) {
  return make_node(parent, name, (mode & 07777) | S_IFDIR, 0, caller);
}

Result<Attributes> Filesystem::make_symlink(InodeNumber parent, std::string_view name,
                                            std::string_view target, const Caller& caller) {
  if (target.empty()) return fail(Code::not_found, "a symlink needs a target");
  if (target.size() > kLongestTargetBytes) {
    return fail(Code::name_too_long, "a symlink's target has 4095 bytes at most");
  }
  const std::unique_lock names(impl_->names_mutex);
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->make_inode({.parent = parent,
                                                             .name = name,
                                                             .mode = S_IFLNK | 0777,
                                                             .device = 0,
                                                             .symlink_target = std::string(target),
                                                             .caller = caller}));
  impl_->nodes->add_lookup(*node);
  const std::shared_lock guard(node->mutex);
  return impl_->attributes_of(*node);
}

Result<std::string> Filesystem::read_symlink(InodeNumber inode) {
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  impl_->touch_atime(node);
  const std::shared_lock guard(node->mutex);
  if ((node->record.mode & S_IFMT) != S_IFLNK) return fail(Code::invalid, "not a symlink");
  return node->record.symlink_target;
}

Result<Attributes> Filesystem::link(InodeNumber inode, InodeNumber new_parent,
                                    std::string_view new_name) {
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  if (impl_->disk_full) return fail(Code::no_space, "the store's disk is full");
  WEIGHTFS_TRY(check_name(new_name));
  const std::unique_lock names(impl_->names_mutex);
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  WEIGHTFS_ASSIGN(const NodePointer parent, impl_->nodes->get(new_parent));
  if (node == parent || node->is_directory()) {
    return fail(Code::not_permitted, "a directory has one name");
  }
  const bool node_first = node->inode < parent->inode;
  const std::unique_lock first((node_first ? node : parent)->mutex);
  const std::unique_lock second((node_first ? parent : node)->mutex);
  WEIGHTFS_TRY(check_parent(*parent));
  if (node->removed) return fail(Code::not_found, "the file was removed");
  if (node->record.link_count >= kMostLinks) return fail(Code::too_many_links, "too many links");
  WEIGHTFS_ASSIGN(const auto existing, impl_->tree->entry(new_parent, new_name));
  if (existing) return fail(Code::exists, "the name exists");

  const timespec now = current_time();
  tree::Change change(*impl_->tree);
  change.put_entry(new_parent, new_name,
                   {.inode = inode,
                    .type_mode = node->record.mode & S_IFMT,
                    .cookie = parent->record.next_cookie});
  ++parent->record.next_cookie;
  ++parent->record.entry_count;
  parent->record.mtime = parent->record.ctime = now;
  // Of an unnamed file (O_TMPFILE), the first link.
  if (node->record.link_count == 0) change.erase_orphan(inode);
  ++node->record.link_count;
  node->record.ctime = now;
  impl_->put_record(change, *node);
  impl_->put_record(change, *parent);
  impl_->tree->apply(std::move(change));
  impl_->nodes->add_lookup(*node);
  return impl_->attributes_of(*node);
}

void Filesystem::Impl::drop_link(tree::Change& change, Node& node, const timespec& now) {
  tree::InodeRecord& record = node.record;
  record.link_count = node.is_directory() || record.link_count == 0 ? 0 : record.link_count - 1;
  record.ctime = now;
  if (record.link_count == 0) change.add_orphan(node.inode);
  put_record(change, node);
}

Status Filesystem::unlink(InodeNumber parent_number, std::string_view name) {
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  NodePointer node;
  {
    const std::unique_lock names(impl_->names_mutex);
    WEIGHTFS_ASSIGN(const tree::EntryRecord entry, impl_->find_entry(parent_number, name));
    WEIGHTFS_ASSIGN(const NodePointer parent, impl_->nodes->get(parent_number));
    WEIGHTFS_ASSIGN(node, impl_->nodes->get(entry.inode));
    if (node->is_directory()) return fail(Code::is_directory, "a directory");
    const bool node_first = node->inode < parent->inode;
    const std::unique_lock first((node_first ? node : parent)->mutex);
    const std::unique_lock second((node_first ? parent : node)->mutex);
    const timespec now = current_time();
    tree::Change change(*impl_->tree);
    change.erase_entry(parent_number, name, entry);
    --parent->record.entry_count;
    parent->record.mtime = parent->record.ctime = now;
    impl_->drop_link(change, *node, now);
    impl_->put_record(change, *parent);
    impl_->tree->apply(std::move(change));
  }
  impl_->remove_if_unknown(node);
  return {};
}

Status Filesystem::remove_directory(InodeNumber parent_number, std::string_view name) {
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  if (name == ".") return fail(Code::invalid, "not a name");
  if (name == "..") return fail(Code::not_empty, "the directory is not empty");
  NodePointer node;
  {
    const std::unique_lock names(impl_->names_mutex);
    WEIGHTFS_ASSIGN(const tree::EntryRecord entry, impl_->find_entry(parent_number, name));
    WEIGHTFS_ASSIGN(const NodePointer parent, impl_->nodes->get(parent_number));
    WEIGHTFS_ASSIGN(node, impl_->nodes->get(entry.inode));
    if (!node->is_directory()) return fail(Code::not_directory, "not a directory");
    const bool node_first = node->inode < parent->inode;
    const std::unique_lock first((node_first ? node : parent)->mutex);
    const std::unique_lock second((node_first ? parent : node)->mutex);
    if (node->record.entry_count != 0) return fail(Code::not_empty, "the directory is not empty");
    const timespec now = current_time();
    tree::Change change(*impl_->tree);
    change.erase_entry(parent_number, name, entry);
    --parent->record.entry_count;
    --parent->record.link_count;
    parent->record.mtime = parent->record.ctime = now;
    impl_->drop_link(change, *node, now);
    impl_->put_record(change, *parent);
    impl_->tree->apply(std::move(change));
  }
  impl_->remove_if_unknown(node);
  return {};
}

}  // namespace weightfs::fs
