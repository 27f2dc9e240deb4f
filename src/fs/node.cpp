#include "node.h"

#include <algorithm>

namespace weightfs::fs {

Result<NodePointer> NodeTable::get(InodeNumber inode) {
  Shard& shard = shard_of(inode);
  const std::lock_guard guard(shard.mutex);
  const auto found = shard.nodes.find(inode);
  if (found != shard.nodes.end()) return found->second;
  WEIGHTFS_ASSIGN(std::optional<tree::InodeRecord> record, tree_.inode(inode));
  if (!record) return fail(Code::not_found, "no such inode");
  auto node = std::make_shared<Node>(inode, std::move(*record));
  const tree::StagingId staged = node->record.content.staging;
  if (staged != tree::StagingId::none) {
    node->staging = staging_.open_existing(staged).value_or(nullptr);
  }
  shard.nodes.emplace(inode, node);
  return node;
}

NodePointer NodeTable::find(InodeNumber inode) {
  Shard& shard = shard_of(inode);
  const std::lock_guard guard(shard.mutex);
  const auto found = shard.nodes.find(inode);
  return found == shard.nodes.end() ? nullptr : found->second;
}

NodePointer NodeTable::insert(InodeNumber inode, tree::InodeRecord record) {
  auto node = std::make_shared<Node>(inode, std::move(record));
  Shard& shard = shard_of(inode);
  const std::lock_guard guard(shard.mutex);
  shard.nodes[inode] = node;
  return node;
}

void NodeTable::add_lookup(Node& node) {
  const std::lock_guard guard(shard_of(node.inode).mutex);
  ++node.lookup_count;
}

bool NodeTable::drop_lookups(Node& node, std::uint64_t count) {
  const std::lock_guard guard(shard_of(node.inode).mutex);
  node.lookup_count -= std::min(count, node.lookup_count);
  return node.lookup_count == 0 && node.handle_count == 0;
}

void NodeTable::add_handle(Node& node, bool writer) {
  const std::lock_guard guard(shard_of(node.inode).mutex);
  ++node.handle_count;
  if (writer) ++node.writer_count;
}

bool NodeTable::drop_handle(Node& node, bool writer) {
  const std::lock_guard guard(shard_of(node.inode).mutex);
  --node.handle_count;
  if (writer) --node.writer_count;
  return node.lookup_count == 0 && node.handle_count == 0;
}

std::uint32_t NodeTable::writer_count(const Node& node) {
  const std::lock_guard guard(shard_of(node.inode).mutex);
  return node.writer_count;
}

std::uint32_t NodeTable::handle_count(const Node& node) {
  const std::lock_guard guard(shard_of(node.inode).mutex);
  return node.handle_count;
}

bool NodeTable::is_unknown(const Node& node) {
  const std::lock_guard guard(shard_of(node.inode).mutex);
  return node.lookup_count == 0 && node.handle_count == 0;
}

void NodeTable::evict(const NodePointer& node) {
  Shard& shard = shard_of(node->inode);
  const std::lock_guard guard(shard.mutex);
  if (node->lookup_count != 0 || node->handle_count != 0) return;
  const auto found = shard.nodes.find(node->inode);
  if (found == shard.nodes.end() || found->second != node) return;
  constexpr long kTableAndCaller = 2;
  if (node.use_count() <= kTableAndCaller) shard.nodes.erase(found);
}

void NodeTable::erase(const Node& node) {
  Shard& shard = shard_of(node.inode);
  const std::lock_guard guard(shard.mutex);
  shard.nodes.erase(node.inode);
}

}  // namespace weightfs::fs
