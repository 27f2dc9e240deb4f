// How live content becomes what the tables say, and the tables durable.
//
// Data goes before the metadata that refers to it: the staged bytes of a content record are synced
// before the record is applied. So whatever commit a crash falls back to, its bytes are there.
#include <sstream>

#include "impl.h"
#include "weightfs/base/fault.h"
#include "weightfs/base/log.h"

namespace weightfs::fs {
namespace {

constexpr unsigned kMostSettleRounds = 16;
// A closed file is about to be sealed; its staged bytes are synced only if that takes this long.
constexpr auto kLongestWaitForSeal = std::chrono::seconds(30);
constexpr std::size_t kMostPendingBytes = std::size_t{32} << 20;
constexpr std::uint64_t kMostMappedBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kPageBytes = 4096;

// Without a staged byte the staging file need not outlive the commit.
tree::ContentRecord without_idle_staging(tree::ContentRecord content) {
  if (!file::has_staged_bytes(content)) content.staging = tree::StagingId::none;
  return content;
}

}  // namespace

void Filesystem::Impl::mark_dirty(Node& node) {
  const std::lock_guard guard(dirty_mutex);
  dirty_nodes.try_emplace(node.inode, node.shared_from_this());
}

void Filesystem::Impl::discard_staging(tree::StagingId id) {
  const std::lock_guard guard(removal_mutex);
  staging_removals.push_back(id);
}

Status Filesystem::Impl::replace_committed(tree::Change& change, Node& node,
                                           const tree::ContentRecord& content) {
  const tree::ContentRecord before = node.committed;
  if (before.recipe != content.recipe && before.recipe != tree::RecipeId::none) {
    WEIGHTFS_TRY(references->release_recipe(change, before.recipe));
  }
  node.committed = content;
  if (node.staging && node.staging->id() == content.staging) node.staging->note_committed();
  const bool unused =
      before.staging != content.staging && before.staging != node.record.content.staging;
  if (unused && before.staging != tree::StagingId::none) discard_staging(before.staging);
  return {};
}

Status Filesystem::Impl::settle_content(const NodePointer& node) {
  {
    const std::unique_lock guard(node->mutex);
    absorb(*node);
    // What is written through a mapping leaves no trace but the bytes.
    if (node->loan && node->loan->writer_count > 0) ++node->version;
  }
  for (unsigned round = 0; round < kMostSettleRounds; ++round) {
    tree::ContentRecord snapshot;
    std::shared_ptr<file::StagedFile> staged;
    std::uint64_t version = 0;
    std::uint64_t epoch = 0;
    {
      const std::shared_lock guard(node->mutex);
      if (node->removed || !node->is_regular()) return {};
      snapshot = without_idle_staging(node->record.content);
      staged = node->staging;
      version = node->version;
      epoch = node->epoch;
      if (version == node->settled_version && !node->attributes_dirty) return {};
    }
    if (snapshot.staging != tree::StagingId::none && staged) {
      WEIGHTFS_TRY(staging->sync_names());
      WEIGHTFS_FAULT_POINT("staging.sync");
      WEIGHTFS_TRY(sync_data(staged->fd()));
    }
    const std::unique_lock guard(node->mutex);
    if (node->removed) return {};
    if (node->epoch != epoch) continue;  // sealed, or copied over, meanwhile
    const auto counts = references->lock();
    tree::Change change(*tree);
    WEIGHTFS_TRY(replace_committed(change, *node, snapshot));
    put_record(change, *node);
    tree->apply(std::move(change));
    node->settled_version = version;
    node->attributes_dirty = false;
    if (node->version != version) node->dirty_since = Clock::now();
    return {};
  }
  return fail(Code::again, "the file changes too fast to be synced");
}

Status Filesystem::Impl::settle_due_nodes(bool everything) {
  std::vector<NodePointer> dirty;
  {
    const std::lock_guard guard(dirty_mutex);
    for (const auto& [inode, node] : dirty_nodes) dirty.push_back(node);
  }
  Status first_error;
  const Clock::time_point now = Clock::now();
  const auto interval = std::chrono::milliseconds(options.commit_interval_ms);
  for (const NodePointer& node : dirty) {
    const auto wait = is_queued(node->inode)
                          ? std::max<Clock::duration>(kLongestWaitForSeal, interval)
                          : Clock::duration(interval);
    bool due = everything;
    {
      const std::unique_lock guard(node->mutex);
      absorb(*node);
      const bool settled = node->version == node->settled_version;
      due = !settled && (due || now - node->dirty_since >= wait);
      if (!due && node->attributes_dirty && !node->removed) {
        tree::Change change(*tree);
        put_record(change, *node);
        tree->apply(std::move(change));
        node->attributes_dirty = false;
      }
    }
    if (due) {
      if (Status settled = settle_content(node); !settled) {
        const std::unique_lock guard(node->mutex);
        node->write_error = settled;  // the disk tells of it once only: whoever writes must know
        if (first_error) first_error = settled;
      }
    }
    const std::unique_lock guard(node->mutex);
    const std::lock_guard dirty_guard(dirty_mutex);
    if (node->version == node->settled_version && !node->attributes_dirty && !node->loan) {
      dirty_nodes.erase(node->inode);
    }
  }
  for (const NodePointer& node : dirty) nodes->evict(node);
  return first_error;
}

Status Filesystem::Impl::commit_tables() {
  std::vector<tree::StagingId> removals;
  {
    // Who discards a staging file holds this until the change that lets go of it was applied: so
    // the commit below covers every change of what is taken here.
    const auto counts = references->lock();
    const std::lock_guard guard(removal_mutex);
    removals.swap(staging_removals);
  }
  ids->save(/*exact=*/false);
  WEIGHTFS_FAULT_POINT("commit.before");
  Status committed = tree->commit();
  while (!committed && committed.error().code == Code::no_space && staging->yield_reserve()) {
    committed = tree->commit();
  }
  disk_full = !committed &&
              (committed.error().code == Code::no_space || committed.error().code == Code::quota);
  if (!committed) {
    log::error("the metadata can't be made durable: {}", committed.error().message);
    const std::lock_guard guard(removal_mutex);
    staging_removals.insert(staging_removals.end(), removals.begin(), removals.end());
    return committed;
  }
  WEIGHTFS_FAULT_POINT("commit.after");
  for (const tree::StagingId id : removals) {
    if (Status removed = staging->remove(id); !removed) log::warning("{}", removed.error().message);
  }
  return {};
}

Status Filesystem::Impl::commit_smaller(Node& node) {
  const tree::ContentRecord content = without_idle_staging(node.record.content);
  if (content.staging != tree::StagingId::none) WEIGHTFS_TRY(sync_data(node.staging->fd()));
  {
    const auto counts = references->lock();
    tree::Change change(*tree);
    WEIGHTFS_TRY(replace_committed(change, node, content));
    put_record(change, node);
    tree->apply(std::move(change));
  }
  node.settled_version = node.version;
  node.attributes_dirty = false;
  return commit_tables();
}

Status Filesystem::Impl::commit_everything() {
  const Status settled = settle_due_nodes(/*everything=*/true);
  WEIGHTFS_TRY(commit_tables());
  return settled;
}

Result<file::Reaper::Progress> Filesystem::Impl::reap() {
  file::Reaper::Progress total;
  for (;;) {
    const std::lock_guard one(reap_mutex);
    WEIGHTFS_ASSIGN(const file::Reaper::Progress progress, reaper->step());
    total.recipes += progress.recipes;
    total.blobs += progress.blobs;
    total.encoded_bytes += progress.encoded_bytes;
    if (progress.more) continue;
    if (total.blobs > 0) WEIGHTFS_TRY(blobs->release_space());
    return total;
  }
}

void Filesystem::Impl::reap_unasked() {
  if (const auto reaped = reap(); !reaped) {
    log::warning("garbage stays for now: {}", reaped.error().message);
  }
}

// Blobs are read through a map of the file; what was read counts as this process's memory until it
// is told not to.
void Filesystem::Impl::bound_resident_memory() const {
  const Result<std::string> statm = read_whole_file("/proc/self/statm");
  if (!statm) return;
  std::uint64_t size_pages = 0;
  std::uint64_t resident_pages = 0;
  std::uint64_t file_pages = 0;
  std::istringstream(*statm) >> size_pages >> resident_pages >> file_pages;
  if (file_pages * kPageBytes > kMostMappedBytes) blobs->drop_resident();
}

void Filesystem::Impl::commit_loop() {
  pthread_setname_np(pthread_self(), "commit");
  const auto interval = std::chrono::milliseconds(options.commit_interval_ms);
  const auto step = std::min(interval, std::chrono::milliseconds(100));
  Clock::time_point next = Clock::now() + interval;
  for (;;) {
    {
      std::unique_lock lock(timer_mutex);
      timer_changed.wait_for(lock, step, [this] { return stopping; });
      if (stopping) return;
    }
    bound_resident_memory();
    const bool much_waits = tree->pending_bytes() > kMostPendingBytes;
    if (Clock::now() < next && !much_waits) continue;
    if (Status settled = settle_due_nodes(/*everything=*/false); !settled) {
      log::error("content can't be made durable: {}", settled.error().message);
    }
    if (commit_tables()) reap_unasked();
    keep_reserve();
    next = Clock::now() + interval;
  }
}

Status Filesystem::sync_directory(Handle) {
  return impl_->commit_tables();
}

Status Filesystem::sync_all() {
  if (impl_->options.read_only) return {};
  Status sealed;
  {
    const std::lock_guard round(impl_->seal_round_mutex);
    sealed = impl_->seal_nodes(impl_->take_due_nodes(/*all=*/true));
  }
  WEIGHTFS_TRY(impl_->commit_everything());
  return sealed;
}

Status Filesystem::release_space() {
  const std::lock_guard one(impl_->reap_mutex);
  return impl_->blobs->release_space();
}

Result<Filesystem::CollectResult> Filesystem::collect_garbage(bool dry_run) {
  const auto result_of = [](const file::Reaper::Progress& progress) {
    CollectResult result;
    result.recipes = progress.recipes;
    result.blobs = progress.blobs;
    result.encoded_bytes = progress.encoded_bytes;
    return result;
  };
  if (dry_run) {
    WEIGHTFS_ASSIGN(const file::Reaper::Progress progress, impl_->reaper->survey());
    return result_of(progress);
  }
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  WEIGHTFS_TRY(impl_->commit_tables());
  WEIGHTFS_ASSIGN(const file::Reaper::Progress progress, impl_->reap());
  WEIGHTFS_TRY(impl_->commit_tables());
  return result_of(progress);
}

}  // namespace weightfs::fs
