// The parts of a Filesystem, and what its operations share.
//
// Lock order (docs/architecture.md): names_mutex -> nodes (smaller inode number first) ->
// References -> the tables' own, BrokenBlobs, caches. dirty_mutex, seal queue, handle table and
// staging removals are leaves. Nothing is called back with a lock held.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "handles.h"
#include "node.h"
#include "snapshot_source.h"
#include "weightfs/file/content.h"
#include "weightfs/file/ingest.h"
#include "weightfs/file/reaper.h"
#include "weightfs/fs/filesystem.h"
#include "weightfs/store/directory.h"

namespace weightfs::fs {

// What a seal needs to know of its file, taken under the node's lock.
struct SealJob {
  bool wanted = false;  // false: there is nothing to seal
  SnapshotSource::Parts snapshot;
  std::uint64_t version = 0;
  InodeNumber parent = 0;
  std::string name;
  std::uint32_t owner_uid = 0;
};

struct Filesystem::Impl {
  Impl(const FilesystemOptions& wanted, store::Directory opened)
      : options(wanted), directory(std::move(opened)) {}

  // opening.cpp
  Status open_parts();
  Status recover();
  Status remove_orphans();
  Status adopt_staging();
  Status close();
  void start_threads();
  void stop_threads();

  // names.cpp: with names_mutex held.
  Result<tree::EntryRecord> find_entry(InodeNumber parent, std::string_view name);
  struct NewInode {
    InodeNumber parent = 0;
    std::string_view name;
    std::uint32_t mode = 0;
    std::uint64_t device = 0;
    std::string symlink_target;
    Caller caller;
  };
  Result<NodePointer> make_inode(const NewInode& wanted);
  void drop_link(tree::Change& change, Node& node, const timespec& now);
  Status prepare_replacement(const RenameOptions& wanted);                         // rename.cpp
  Status keep_replaced_content(tree::Change& change, Node& node, Node& replaced);  // rename.cpp

  // inodes.cpp
  Attributes attributes_of(const Node& node);               // with the node's lock held
  void put_record(tree::Change& change, const Node& node);  // attributes, and committed content
  void remove_if_unknown(const NodePointer& node);

  // content_io.cpp: with the node's lock held (shared for the first two, exclusive for the others).
  Status read_pieces(Node& node, std::uint64_t begin, std::uint64_t end, ReadResult& result);
  Result<std::shared_ptr<const file::RecipeView>> recipe_of(Node& node);
  Status ensure_staging(Node& node);
  void drop_staging(Node& node);  // of which no byte is live
  Status set_live_size(Node& node, std::uint64_t size_bytes);
  Status compact_ranges(Node& node);
  void content_changed(Node& node);  // times, version, and the dirty set
  void content_changed(Node& node, const timespec& when);
  bool is_atime_due(const Node& node, const timespec& now) const;
  void touch_atime(const NodePointer& node);  // takes the lock itself
  void prefetch(Node& node, std::uint64_t begin, std::uint64_t end);
  Error explain(const Node& node, std::uint64_t offset_bytes, Error error) const;

  // lending.cpp: with the node's lock held exclusively, but for refresh().
  bool begin_loan(Node& node, const OpenFile& file);
  // Answers whether it was the last handle of a loan.
  bool end_loan(const OpenFile& file);  // takes the lock itself
  void absorb(Node& node);              // what the kernel did to a lent file
  void refresh(Node& node);             // the same, with no lock held
  Status allocate_lent(Node& node, AllocateKind kind, std::uint64_t offset_bytes,
                       std::uint64_t length_bytes);
  Status set_lent_size(Node& node, std::uint64_t size_bytes);
  bool keep_metadata_room();
  void keep_reserve();

  // allocating.cpp; but for the last with the node's lock held.
  Status reserve_holes(Node& node, std::uint64_t begin_bytes, std::uint64_t end_bytes);
  void give_room_back(Node& node, std::uint64_t begin_bytes, std::uint64_t end_bytes);
  void drop_idle_staging(const NodePointer& node);

  // settling.cpp
  void mark_dirty(Node& node);
  // Makes `content` what the tables say of the node; counts follow. With the node's lock and
  // references->lock() held.
  Status replace_committed(tree::Change& change, Node& node, const tree::ContentRecord& content);
  // Makes the live content what the tables say, its staged bytes durable first.
  Status settle_content(const NodePointer& node);
  Status settle_due_nodes(bool everything);
  Status commit_tables();
  // Makes durable what is about to be cut off: with the node's lock held exclusively.
  Status commit_smaller(Node& node);
  Status commit_everything();
  void discard_staging(tree::StagingId id);
  void commit_loop();
  void bound_resident_memory() const;
  // Takes garbage apart, and gives the disk back what it took.
  Result<file::Reaper::Progress> reap();
  // The same where nobody waits for it: a failure is a line in the log.
  void reap_unasked();

  // sealing.cpp
  void queue_seal(const NodePointer& node, std::chrono::milliseconds delay);
  bool is_queued(InodeNumber inode);
  void wait_for_descriptor(const Node& node);  // with no lock held
  Clock::time_point next_seal_due() const;     // with seal_mutex held
  void seal_loop();
  std::vector<NodePointer> take_due_nodes(bool all);
  Status seal_nodes(const std::vector<NodePointer>& due);
  Result<SealJob> begin_seal(const NodePointer& node);
  void seal_node(const NodePointer& node, const std::function<void(Status)>& finished);
  Status publish(const NodePointer& node, std::uint64_t version, const file::SealedRecipe& sealed);

  // seeking.cpp, with the node's lock held
  Result<std::uint64_t> find_byte(Node& node, std::uint64_t begin_bytes, SeekKind kind);
  Result<std::uint64_t> find_hole_block(Node& node, std::uint64_t begin_bytes);

  // copying.cpp, importing.cpp
  Result<std::uint64_t> share_range(Node& source, Node& target, const CopyRange& range);
  Result<InodeNumber> place_import(const ImportedFile& file, const file::SealedRecipe* sealed);

  // acl.cpp
  Status inherit_acl(tree::Change& change, InodeNumber parent, InodeNumber child,
                     std::uint32_t& mode, std::uint32_t umask);

  const FilesystemOptions options;
  const store::Directory directory;
  std::unique_ptr<tree::Tree> tree;
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<file::StagingArea> staging;
  std::unique_ptr<file::IdAllocator> ids;
  std::unique_ptr<file::References> references;
  std::unique_ptr<file::BrokenBlobs> broken;
  std::unique_ptr<file::BlockCache> cache;
  std::unique_ptr<file::BaseFinder> bases;
  std::unique_ptr<file::Ingest> ingest;
  std::unique_ptr<file::Reaper> reaper;
  std::unique_ptr<NodeTable> nodes;
  HandleTable handles;
  std::atomic<ChangeObserver*> observer{nullptr};

  // Protects which name means which inode, directories' records and link counts.
  std::shared_mutex names_mutex;

  std::mutex dirty_mutex;  // protects dirty_nodes
  std::unordered_map<InodeNumber, NodePointer> dirty_nodes;

  std::mutex removal_mutex;  // protects staging_removals
  std::vector<tree::StagingId> staging_removals;

  std::mutex reap_mutex;  // one reaper at a time; before every other lock

  std::mutex seal_round_mutex;  // one round of seals at a time; before every other lock
  std::mutex seal_mutex;        // protects what follows
  std::condition_variable seal_changed;
  bool stop_sealing = false;
  struct QueuedSeal {
    NodePointer node;
    Clock::time_point due;
  };
  std::unordered_map<InodeNumber, QueuedSeal> seal_queue;
  std::unordered_map<InodeNumber, NodePointer> seals_under_way;

  std::mutex timer_mutex;  // protects stopping
  std::condition_variable timer_changed;
  bool stopping = false;
  std::atomic<bool> disk_full{false};  // the last commit found no room
  std::atomic<std::size_t> loan_count{0};
  std::atomic<bool> has_metadata_room{false};  // taken from the disk for the tables to grow

  std::thread commit_thread;
  std::thread seal_thread;
};

// The time that the kernel would write into an inode now.
timespec current_time();
Status check_name(std::string_view name);
inline bool is_later(const timespec& a, const timespec& b) {
  return std::pair(a.tv_sec, a.tv_nsec) > std::pair(b.tv_sec, b.tv_nsec);
}
inline bool is_not_found(const Error& error) {
  return error.code == Code::not_found;
}

}  // namespace weightfs::fs
