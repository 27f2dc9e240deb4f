// Opening a store: its parts, recovery after a crash, and the clean end.
#include <sys/statvfs.h>

#include <algorithm>
#include <thread>

#include "impl.h"
#include "weightfs/base/log.h"
#include "weightfs/tree/room.h"

namespace weightfs::fs {
namespace {

file::VerifyMode verify_mode(VerifyReads verify) {
  switch (verify) {
    case VerifyReads::always:
      return file::VerifyMode::always;
    case VerifyReads::sampled:
      return file::VerifyMode::sampled;
    case VerifyReads::off:
      return file::VerifyMode::off;
  }
  return file::VerifyMode::always;
}

std::size_t worker_count_of(const FilesystemOptions& options) {
  if (options.worker_count > 0) return options.worker_count;
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Result<std::unique_ptr<Filesystem>> Filesystem::open(const std::string& path,
                                                     const FilesystemOptions& options) {
  WEIGHTFS_ASSIGN(
      store::Directory directory,
      store::Directory::open(path, {.create = options.create, .read_only = options.read_only}));
  auto impl = std::make_unique<Impl>(options, std::move(directory));
  WEIGHTFS_TRY(impl->open_parts());
  if (!options.read_only) {
    WEIGHTFS_TRY(impl->recover());
    impl->start_threads();
  }
  return std::unique_ptr<Filesystem>(new Filesystem(std::move(impl)));
}

Filesystem::Filesystem(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Filesystem::~Filesystem() {
  if (impl_->options.read_only) return;
  if (Status closed = impl_->close(); !closed) {
    log::error("the store was not closed cleanly, it recovers when it is opened: {}",
               closed.error().message);
  }
}

Status Filesystem::Impl::open_parts() {
  WEIGHTFS_ASSIGN(
      tree, tree::Tree::open({.path = directory.meta_path(), .read_only = options.read_only}));
  WEIGHTFS_ASSIGN(blobs, store::open_lmdb_blob_store(
                             {.path = directory.blobs_path(), .read_only = options.read_only}));
  WEIGHTFS_ASSIGN(staging, file::StagingArea::open(directory.staging_path(), options.read_only));
  WEIGHTFS_ASSIGN(const store::BlobId last_blob, blobs->last_id());
  WEIGHTFS_ASSIGN(ids, file::IdAllocator::open(*tree, last_blob));
  WEIGHTFS_ASSIGN(broken, file::BrokenBlobs::open(*tree));
  references = std::make_unique<file::References>(*tree);
  const std::size_t worker_count = worker_count_of(options);
  cache = std::make_unique<file::BlockCache>(
      *blobs, file::BlockCacheOptions{.capacity_bytes = options.cache_bytes,
                                      .decode_ahead_threads = worker_count,
                                      .verify = verify_mode(options.verify)});
  cache->on_broken([this](store::BlobId id) { broken->mark(id); });
  WEIGHTFS_ASSIGN(bases, file::BaseFinder::open(*tree, *cache));
  ingest = std::make_unique<file::Ingest>(
      file::Ingest::Parts{*tree, *blobs, *references, *cache, *ids, *broken, *bases},
      file::IngestOptions{.tier = options.tier,
                          .portable = options.portable,
                          .verify_dedup = options.verify_dedup,
                          .worker_count = worker_count});
  reaper = std::make_unique<file::Reaper>(
      file::Reaper::Parts{*tree, *blobs, *references, *cache, *bases});
  nodes = std::make_unique<NodeTable>(*tree, *staging);
  return {};
}

Status Filesystem::Impl::recover() {
  WEIGHTFS_TRY(tree::drop_room(directory.meta_path()));  // of a daemon that was killed
  WEIGHTFS_TRY(remove_orphans());
  WEIGHTFS_TRY(adopt_staging());
  WEIGHTFS_ASSIGN(const tree::Counters counters, tree->counters());
  WEIGHTFS_ASSIGN(
      const file::Reaper::Progress swept,
      reaper->sweep_unsettled(static_cast<store::BlobId>(counters.first_unsettled_blob)));
  if (swept.blobs > 0) log::info("recovery: swept {} blobs that nothing refers to", swept.blobs);
  return {};
}

Status Filesystem::Impl::remove_orphans() {
  constexpr std::size_t kAtOnce = 1024;
  for (;;) {
    WEIGHTFS_ASSIGN(const std::vector<InodeNumber> orphans, tree->orphans(kAtOnce));
    for (const InodeNumber inode : orphans) {
      const Result<NodePointer> node = nodes->get(inode);
      if (node) remove_if_unknown(*node);
      tree::Change change(*tree);
      change.erase_orphan(inode);
      tree->apply(std::move(change));
    }
    if (orphans.size() < kAtOnce) return {};
  }
}

// Staging files that an inode has are sealed soon; the others were never committed, or are done
// with.
Status Filesystem::Impl::adopt_staging() {
  WEIGHTFS_ASSIGN(std::vector<tree::StagingId> strays, staging->list());
  if (strays.empty()) return {};
  std::vector<InodeNumber> unsealed;
  WEIGHTFS_TRY(tree->for_each_inode([&](InodeNumber inode, const tree::InodeRecord& record) {
    if ((record.mode & S_IFMT) == S_IFREG && !file::is_sealed(record.content)) {
      unsealed.push_back(inode);
      std::erase(strays, record.content.staging);
    }
    return true;
  }));
  // A record that can't be read may have one of them: fsck decides then.
  bool damaged = false;
  WEIGHTFS_TRY(tree->for_each_damaged([&](const std::string&) { damaged = true; }));
  if (damaged) {
    log::warning(
        "the metadata is damaged, nothing is cleared away: unmount, and run weightfs fsck");
  } else {
    for (const tree::StagingId stray : strays) WEIGHTFS_TRY(staging->remove(stray));
  }
  for (const InodeNumber inode : unsealed) {
    WEIGHTFS_ASSIGN(const NodePointer node, nodes->get(inode));
    queue_seal(node, std::chrono::milliseconds(options.seal_delay_ms));
  }
  if (!unsealed.empty()) log::info("recovery: {} files wait to be sealed", unsealed.size());
  return {};
}

void Filesystem::Impl::start_threads() {
  commit_thread = std::thread([this] { commit_loop(); });
  seal_thread = std::thread([this] { seal_loop(); });
}

void Filesystem::Impl::stop_threads() {
  {
    const std::lock_guard guard(timer_mutex);
    stopping = true;
  }
  {
    const std::lock_guard guard(seal_mutex);
    stop_sealing = true;
  }
  timer_changed.notify_all();
  seal_changed.notify_all();
  if (commit_thread.joinable()) commit_thread.join();
  if (seal_thread.joinable()) seal_thread.join();
}

Status Filesystem::Impl::close() {
  stop_threads();
  {
    const std::lock_guard round(seal_round_mutex);
    (void)seal_nodes(take_due_nodes(/*all=*/true));  // what can't be sealed stays staged
  }
  WEIGHTFS_TRY(commit_everything());
  // Nobody has anything open any more, whatever was not said.
  nodes = std::make_unique<NodeTable>(*tree, *staging);
  WEIGHTFS_TRY(remove_orphans());
  WEIGHTFS_TRY(commit_tables());
  reap_unasked();
  ids->save(/*exact=*/true);
  WEIGHTFS_TRY(tree->commit());
  staging->drop_reserve();
  return has_metadata_room ? tree::drop_room(directory.meta_path()) : Status();
}

void Filesystem::set_observer(ChangeObserver* observer) {
  impl_->observer = observer;
}
tree::Tree& Filesystem::tree() {
  return *impl_->tree;
}
store::BlobStore& Filesystem::blobs() {
  return *impl_->blobs;
}
file::BlockCache& Filesystem::cache() {
  return *impl_->cache;
}
const std::string& Filesystem::store_path() const {
  return impl_->directory.path();
}

const FilesystemOptions& Filesystem::options() const {
  return impl_->options;
}

Result<Statistics> Filesystem::statistics() {
  struct statvfs status {};
  if (::statvfs(impl_->directory.path().c_str(), &status) != 0) {
    return fail_errno(errno, "statvfs " + impl_->directory.path());
  }
  return Statistics{.block_bytes = status.f_frsize,
                    .blocks = status.f_blocks,
                    .blocks_free = status.f_bfree,
                    .blocks_available = status.f_bavail,
                    .inodes = status.f_files,
                    .inodes_free = status.f_ffree};
}

}  // namespace weightfs::fs
