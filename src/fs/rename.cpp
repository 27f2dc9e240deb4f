// Renaming, with replacement and exchange.
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "impl.h"

namespace weightfs::fs {
namespace {

// Locks every distinct node once, in the order of their numbers.
std::vector<std::unique_lock<std::shared_mutex>> lock_all(std::vector<NodePointer> nodes) {
  std::erase(nodes, nullptr);
  std::sort(nodes.begin(), nodes.end(),
            [](const NodePointer& a, const NodePointer& b) { return a->inode < b->inode; });
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  std::vector<std::unique_lock<std::shared_mutex>> locks;
  for (const NodePointer& node : nodes) locks.emplace_back(node->mutex);
  return locks;
}

struct Side {
  NodePointer parent;
  std::string_view name;
  tree::EntryRecord entry;  // of the name, where there is one
  NodePointer node;         // what it names; null where it is free
};

Status check_types(const Side& from, const Side& to) {
  if (from.node->is_directory() && !to.node->is_directory()) {
    return fail(Code::not_directory, "the target is not a directory");
  }
  if (!from.node->is_directory() && to.node->is_directory()) {
    return fail(Code::is_directory, "the target is a directory");
  }
  if (to.node->is_directory() && to.node->record.entry_count != 0) {
    return fail(Code::not_empty, "the target is not empty");
  }
  return {};
}

void touch(Node& node, const timespec& now) {
  node.record.mtime = node.record.ctime = now;
}

// Puts `node` under the name of `place`, under a cookie of its own.
void enter(tree::Change& change, const Side& place, Node& node) {
  tree::InodeRecord& directory = place.parent->record;
  change.put_entry(place.parent->inode, place.name,
                   {.inode = node.inode,
                    .type_mode = node.record.mode & S_IFMT,
                    .cookie = directory.next_cookie});
  ++directory.next_cookie;
  ++directory.entry_count;
  if (node.is_directory()) {
    ++directory.link_count;
    node.record.parent = place.parent->inode;
  }
}

void leave(tree::Change& change, const Side& place) {
  change.erase_entry(place.parent->inode, place.name, place.entry);
  --place.parent->record.entry_count;
  if (place.node->is_directory()) --place.parent->record.link_count;
}

// Puts a whiteout, an inode of its own, where `place` has lost its name.
void leave_whiteout(tree::Change& change, const Side& place, InodeNumber inode, const Caller& owner,
                    const timespec& now) {
  tree::InodeRecord& directory = place.parent->record;
  tree::InodeRecord record;
  record.mode = S_IFCHR;
  record.link_count = 1;
  record.uid = owner.uid;
  record.gid = (directory.mode & S_ISGID) != 0 ? directory.gid : owner.gid;
  record.atime = record.mtime = record.ctime = record.btime = now;
  change.put_inode(inode, record);
  change.put_entry(place.parent->inode, place.name,
                   {.inode = inode, .type_mode = S_IFCHR, .cookie = directory.next_cookie});
  ++directory.next_cookie;
  ++directory.entry_count;
}

}  // namespace

// Whether `ancestor` is `node` or above it; with names_mutex held.
static Result<bool> is_above(NodeTable& nodes, InodeNumber ancestor, InodeNumber node) {
  while (node != ancestor) {
    if (node == kRootInode) return false;
    WEIGHTFS_ASSIGN(const NodePointer directory, nodes.get(node));
    const std::shared_lock guard(directory->mutex);
    node = directory->record.parent;
  }
  return true;
}

Status Filesystem::rename(const RenameOptions& options) {
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  if (options.exchange && (options.no_replace || options.whiteout_owner))
    return fail(Code::invalid, "flags exclude each other");
  if (options.whiteout_owner && impl_->disk_full)
    return fail(Code::no_space, "the store's disk is full");
  WEIGHTFS_TRY(check_name(options.old_name));
  WEIGHTFS_TRY(check_name(options.new_name));
  WEIGHTFS_TRY(impl_->prepare_replacement(options));
  NodePointer replaced;
  {
    const std::unique_lock names(impl_->names_mutex);
    Side from{.parent = {}, .name = options.old_name, .entry = {}, .node = {}};
    Side to{.parent = {}, .name = options.new_name, .entry = {}, .node = {}};
    WEIGHTFS_ASSIGN(from.parent, impl_->nodes->get(options.old_parent));
    WEIGHTFS_ASSIGN(to.parent, impl_->nodes->get(options.new_parent));
    WEIGHTFS_ASSIGN(from.entry, impl_->find_entry(options.old_parent, options.old_name));
    WEIGHTFS_ASSIGN(from.node, impl_->nodes->get(from.entry.inode));
    WEIGHTFS_ASSIGN(const auto target, impl_->tree->entry(options.new_parent, options.new_name));
    if (target) {
      to.entry = *target;
      WEIGHTFS_ASSIGN(to.node, impl_->nodes->get(target->inode));
    }
    if (options.exchange && !to.node) return fail(Code::not_found, "nothing to exchange with");
    if (options.no_replace && to.node) return fail(Code::exists, "the name exists");
    if (from.node == to.node) return {};  // two names of one file: rename(2) does nothing
    if (from.node->is_directory()) {
      WEIGHTFS_ASSIGN(const bool into_itself,
                      is_above(*impl_->nodes, from.node->inode, to.parent->inode));
      if (into_itself) return fail(Code::invalid, "a directory can't be moved into itself");
    }
    if (options.exchange && to.node->is_directory()) {
      WEIGHTFS_ASSIGN(const bool into_itself,
                      is_above(*impl_->nodes, to.node->inode, from.parent->inode));
      if (into_itself) return fail(Code::invalid, "a directory can't be moved into itself");
    }
    const auto locks = lock_all({from.parent, to.parent, from.node, to.node});
    if (!to.parent->is_directory()) return fail(Code::not_directory, "not a directory");
    if (to.parent->record.link_count == 0)
      return fail(Code::not_found, "the directory was removed");
    if (to.node && !options.exchange) WEIGHTFS_TRY(check_types(from, to));

    const timespec now = current_time();
    const auto counts = impl_->references->lock();
    tree::Change change(*impl_->tree);
    if (to.node && !options.exchange) {
      WEIGHTFS_TRY(impl_->keep_replaced_content(change, *from.node, *to.node));
    }
    leave(change, from);
    if (to.node) leave(change, to);
    enter(change, to, *from.node);
    if (options.exchange) {
      enter(change, from, *to.node);
      to.node->record.ctime = now;
      impl_->put_record(change, *to.node);
    } else if (to.node) {
      impl_->drop_link(change, *to.node, now);
      replaced = to.node;
    }
    if (options.whiteout_owner) {
      leave_whiteout(change, from, impl_->ids->next_inode(), *options.whiteout_owner, now);
    }
    from.node->record.ctime = now;
    from.node->parent_hint = options.new_parent;
    from.node->name_hint = options.new_name;
    touch(*from.parent, now);
    touch(*to.parent, now);
    impl_->put_record(change, *from.node);
    impl_->put_record(change, *from.parent);
    impl_->put_record(change, *to.parent);
    impl_->tree->apply(std::move(change));
  }
  if (replaced) impl_->remove_if_unknown(replaced);
  return {};
}

namespace {

// Whether `node`, whose live content is not committed, can hold what `replaced` has committed.
bool can_take_over(const Node& node, const Node& replaced) {
  return replaced.committed.staging == tree::StagingId::none &&
         node.record.content.recipe == tree::RecipeId::none;
}

}  // namespace

// Where the replaced content can't be taken over (see below), the new one is made durable first.
Status Filesystem::Impl::prepare_replacement(const RenameOptions& wanted) {
  const auto node_of = [this](InodeNumber parent, const std::string& name) -> NodePointer {
    const auto entry = tree->entry(parent, name);
    if (!entry || !*entry) return nullptr;
    return nodes->get((*entry)->inode).value_or(nullptr);
  };
  const NodePointer node = node_of(wanted.old_parent, wanted.old_name);
  const NodePointer replaced = node_of(wanted.new_parent, wanted.new_name);
  if (wanted.exchange || !node || !replaced || node == replaced) return {};
  if (!node->is_regular() || !replaced->is_regular()) return {};
  {
    const auto locks = lock_all({node, replaced});
    absorb(*node);
    if (node->version == node->settled_version || can_take_over(*node, *replaced)) return {};
  }
  return settle_content(node);
}

// Replacing a file is atomic with its content: until the new content is durable, a crash finds the
// old content under the name. So a file whose content is not committed takes over what it replaces.
Status Filesystem::Impl::keep_replaced_content(tree::Change& change, Node& node, Node& replaced) {
  const bool settled = node.version == node.settled_version;
  if (settled || !node.is_regular() || !replaced.is_regular()) return {};
  const tree::ContentRecord kept = replaced.committed;
  if (!can_take_over(node, replaced)) return {};
  if (kept.recipe != tree::RecipeId::none && kept.recipe != node.committed.recipe) {
    WEIGHTFS_TRY(references->retain_recipe(change, kept.recipe));
  }
  return replace_committed(change, node, kept);
}

}  // namespace weightfs::fs
