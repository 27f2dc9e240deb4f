// Inodes in memory: what the kernel knows of, what is open, what waits to be sealed or committed.
//
// Three identities: an InodeNumber is for ever; a Node is there while anybody needs it; a file's
// content is a tree::ContentRecord, of which a Node has two. `record.content` is live: what readers
// and writers see. `committed` is what the metadata tables say: what a crash would leave. Counts of
// recipes follow `committed`; a live content's recipe is none, the committed one, or counted when
// it was set.
#pragma once

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "read_ahead.h"
#include "weightfs/file/recipe_view.h"
#include "weightfs/file/staging.h"
#include "weightfs/fs/types.h"
#include "weightfs/tree/tree.h"

namespace weightfs::fs {

using Clock = std::chrono::steady_clock;

// The kernel reads and writes the staging file of a node without telling: what is known of it is as
// old as the last Impl::absorb(). Until the last of the handles is released, the content of the
// file is the whole staging file.
struct Loan {
  std::uint32_t handle_count = 0;
  std::uint32_t writer_count = 0;
  timespec seen_atime{};  // of the staging file
  timespec seen_mtime{};
};

struct Node : std::enable_shared_from_this<Node> {
  Node(InodeNumber number, tree::InodeRecord loaded)
      : inode(number), record(std::move(loaded)), committed(record.content) {}

  bool is_directory() const { return (record.mode & S_IFMT) == S_IFDIR; }
  bool is_regular() const { return (record.mode & S_IFMT) == S_IFREG; }

  const InodeNumber inode;

  // Protects everything below up to the next comment. In the lock order after Impl::names_mutex and
  // before References; of two nodes, the smaller inode number first.
  mutable std::shared_mutex mutex;
  tree::InodeRecord record;
  tree::ContentRecord committed;
  // Of record.content.staging; null where that is none, or where its file can't be opened.
  std::shared_ptr<file::StagedFile> staging;
  std::optional<Loan> loan;  // of `staging`
  // Of record.content.recipe, once it is needed; atomic_load and atomic_store, since readers set
  // it.
  std::shared_ptr<const file::RecipeView> recipe;
  std::atomic<std::uint64_t> version{
      0};                             // counts changes of the live content; read without the lock
  std::uint64_t settled_version = 0;  // the version that `committed` has
  std::uint64_t epoch = 0;            // counts exchanges of recipe or staging file
  bool attributes_dirty = false;      // record differs from the tables in more than its content
  bool removed = false;               // its records are gone
  Clock::time_point dirty_since{};
  Status write_error;           // that the timer met; reported once
  InodeNumber parent_hint = 0;  // where it was last looked up, and as what: for the parsers
  std::string name_hint;

  // Thread-safe by itself.
  ReadAhead read_ahead;

  // Protected by the NodeTable's shard.
  std::uint64_t lookup_count = 0;
  std::uint32_t handle_count = 0;
  std::uint32_t writer_count = 0;
};

using NodePointer = std::shared_ptr<Node>;

// All nodes by number. Thread-safe; its shards' locks are leaves but for reading the tree.
class NodeTable {
 public:
  NodeTable(tree::Tree& tree, file::StagingArea& staging) : tree_(tree), staging_(staging) {}

  // The node, loaded from the tables where it is not there. Code::not_found where the inode is
  // gone.
  Result<NodePointer> get(InodeNumber inode);
  NodePointer find(InodeNumber inode);
  // Of an inode that was just made.
  NodePointer insert(InodeNumber inode, tree::InodeRecord record);

  void add_lookup(Node& node);
  // Both answer whether nobody knows the node any more: no lookup, no handle.
  bool drop_lookups(Node& node, std::uint64_t count);
  bool drop_handle(Node& node, bool writer);
  void add_handle(Node& node, bool writer);
  std::uint32_t writer_count(const Node& node);
  std::uint32_t handle_count(const Node& node);
  bool is_unknown(const Node& node);
  // Forgets the node if nobody but the caller's pointer and the table knows it.
  void evict(const NodePointer& node);
  // Forgets a node whose inode is gone.
  void erase(const Node& node);

 private:
  static constexpr std::size_t kShardCount = 16;
  struct Shard {
    std::mutex mutex;  // protects the map and its nodes' counts
    std::unordered_map<InodeNumber, NodePointer> nodes;
  };
  Shard& shard_of(InodeNumber inode) { return shards_[inode % kShardCount]; }

  tree::Tree& tree_;
  file::StagingArea& staging_;
  std::array<Shard, kShardCount> shards_;
};

}  // namespace weightfs::fs
