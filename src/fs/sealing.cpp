// Sealing: closed files become recipes, in the background, behind their writers.
#include "impl.h"
#include "neighbours.h"
#include "snapshot_source.h"
#include "weightfs/base/fault.h"
#include "weightfs/base/log.h"

namespace weightfs::fs {
namespace {

constexpr auto kRetryAfter = std::chrono::seconds(5);
constexpr auto kLongestSleep = std::chrono::hours(1);
constexpr auto kLongestWaitForDescriptor = std::chrono::seconds(60);
constexpr auto kWaitStep = std::chrono::milliseconds(5);

}  // namespace

void Filesystem::Impl::queue_seal(const NodePointer& node, std::chrono::milliseconds delay) {
  {
    const std::shared_lock guard(node->mutex);
    const bool sealed = file::is_sealed(node->record.content);
    if (node->removed || node->record.link_count == 0 || !node->is_regular() || sealed) {
      if (!sealed || (node->version == node->settled_version && !node->staging)) return;
    }
  }
  {
    const std::lock_guard guard(seal_mutex);
    seal_queue[node->inode] = {node, Clock::now() + delay};
  }
  seal_changed.notify_one();
}

bool Filesystem::Impl::is_queued(InodeNumber inode) {
  const std::lock_guard guard(seal_mutex);
  return seal_queue.contains(inode) || seals_under_way.contains(inode);
}

std::size_t Filesystem::unsealed_file_count() const {
  const std::lock_guard guard(impl_->seal_mutex);
  return impl_->seal_queue.size() + impl_->seals_under_way.size();
}

std::vector<NodePointer> Filesystem::Impl::take_due_nodes(bool all) {
  std::vector<NodePointer> due;
  const Clock::time_point now = Clock::now();
  const std::lock_guard guard(seal_mutex);
  for (auto queued = seal_queue.begin(); queued != seal_queue.end();) {
    if (!all && queued->second.due > now) {
      ++queued;
      continue;
    }
    seals_under_way.emplace(queued->first, queued->second.node);
    due.push_back(std::move(queued->second.node));
    queued = seal_queue.erase(queued);
  }
  return due;
}

// A file that waits for its seal has a descriptor. Who writes new files faster than they are sealed
// waits here, until the seals have caught up; files that are open for writing can't be waited for.
void Filesystem::Impl::wait_for_descriptor(const Node& node) {
  const Clock::time_point deadline = Clock::now() + kLongestWaitForDescriptor;
  while (staging->is_crowded() && Clock::now() < deadline) {
    {
      const std::shared_lock guard(node.mutex);
      if (node.staging) return;
    }
    {
      const std::lock_guard guard(seal_mutex);
      if (seal_queue.empty() && seals_under_way.empty()) return;
    }
    seal_changed.notify_one();
    std::this_thread::sleep_for(kWaitStep);
  }
}

Clock::time_point Filesystem::Impl::next_seal_due() const {
  Clock::time_point earliest = Clock::now() + kLongestSleep;
  for (const auto& [inode, queued] : seal_queue) earliest = std::min(earliest, queued.due);
  return earliest;
}

void Filesystem::Impl::seal_loop() {
  pthread_setname_np(pthread_self(), "seal");
  Status last_round;
  for (;;) {
    {
      std::unique_lock lock(seal_mutex);
      if (stop_sealing) return;
      seal_changed.wait_until(lock, next_seal_due());
      if (stop_sealing) return;
    }
    const std::lock_guard round(seal_round_mutex);
    const bool hurries = staging->is_crowded() && last_round;
    const std::vector<NodePointer> due = take_due_nodes(hurries);
    last_round = due.empty() ? Status() : seal_nodes(due);
  }
}

// With seal_round_mutex held.
Status Filesystem::Impl::seal_nodes(const std::vector<NodePointer>& due) {
  std::mutex error_mutex;
  Status first_error;
  for (const NodePointer& node : due) {
    seal_node(node, [this, node, &error_mutex, &first_error](Status finished) {
      {
        const std::lock_guard guard(seal_mutex);
        seals_under_way.erase(node->inode);
      }
      if (finished) return;
      if (finished.error().code == Code::interrupted) {
        if (nodes->writer_count(*node) == 0) {
          queue_seal(node, std::chrono::milliseconds(options.seal_delay_ms));
        }
        return;
      }
      log::error("inode {} ({}) stays unsealed for now: {}", node->inode, node->name_hint,
                 finished.error().message);
      queue_seal(node, kRetryAfter);
      const std::lock_guard guard(error_mutex);
      if (first_error) first_error = finished;
    });
  }
  ingest->flush();
  for (const NodePointer& node : due) nodes->evict(node);
  return first_error;
}

Result<SealJob> Filesystem::Impl::begin_seal(const NodePointer& node) {
  const std::shared_lock guard(node->mutex);
  SealJob job;
  if (node->removed || node->record.link_count == 0 || node->loan) return job;
  job.snapshot.content = node->record.content;
  job.snapshot.staged = node->staging;
  job.snapshot.cache = cache.get();
  job.version = node->version;
  job.parent = node->parent_hint;
  job.name = node->name_hint;
  job.owner_uid = node->record.uid;
  const bool missing = !node->staging && job.snapshot.content.staging != tree::StagingId::none;
  if (missing) return fail(Code::io, "the staging file is missing");
  if (job.snapshot.content.recipe != tree::RecipeId::none) {
    WEIGHTFS_ASSIGN(job.snapshot.recipe, recipe_of(*node));
  }
  const bool sealed = file::is_sealed(job.snapshot.content);
  job.wanted = job.snapshot.content.size_bytes > 0 && !sealed;
  return job;
}

void Filesystem::Impl::seal_node(const NodePointer& node,
                                 const std::function<void(Status)>& finished) {
  Result<SealJob> job = begin_seal(node);
  if (!job) return finished(tl::unexpected(std::move(job.error())));
  if (!job->wanted) {
    Status settled = settle_content(node);
    drop_idle_staging(node);
    return finished(std::move(settled));
  }
  const SnapshotSource source(std::move(job->snapshot));
  const DirectoryNeighbours neighbours(*this, job->parent);
  file::IngestFile file;
  file.source = &source;
  file.name = job->name;
  file.neighbours = &neighbours;
  file.owner_uid = job->owner_uid;
  file.previous = source.parts().recipe;
  file.unchanged = [&source](std::uint64_t begin, std::uint64_t end) {
    return file::is_unchanged(source.parts().content, begin, end);
  };
  const std::uint64_t version = job->version;
  file.cancelled = [&node, version] { return node->version != version; };
  file.done = [this, node, version, finished](Result<file::SealedRecipe> sealed) {
    if (!sealed && node->version != version) {  // what it was reading may be gone
      return finished(fail(Code::interrupted, "the file was changed while it was sealed"));
    }
    if (!sealed) return finished(tl::unexpected(std::move(sealed.error())));
    finished(publish(node, version, *sealed));
  };
  ingest->add(file);
}

Status Filesystem::Impl::publish(const NodePointer& node, std::uint64_t version,
                                 const file::SealedRecipe& sealed) {
  Status published = fault::check("seal.before_publish");
  {
    const std::unique_lock guard(node->mutex);
    const bool stale =
        node->version != version || node->removed || node->loan || node->record.link_count == 0;
    if (published && stale) {
      published = fail(Code::interrupted, "the file was changed while it was sealed");
    }
    if (published) {
      const auto counts = references->lock();
      tree::Change change(*tree);
      tree::RecipeHeader header = sealed.header;
      header.reference_count = 1;
      change.put_recipe(sealed.id, header);
      change.put_layout(sealed.id, sealed.layout);
      change.erase_doomed_recipe(sealed.id);
      tree::ContentRecord content;
      content.size_bytes = header.size_bytes;
      content.recipe = sealed.id;
      content.recipe_limit_bytes = header.size_bytes;
      content.stored_bytes = std::max<std::uint64_t>(header.stored_bytes, sealed.has_blobs ? 1 : 0);
      const tree::StagingId staged = node->record.content.staging;
      node->record.content = content;
      published = replace_committed(change, *node, content);
      if (staged != tree::StagingId::none) discard_staging(staged);
      node->staging.reset();
      ++node->epoch;
      node->settled_version = version;
      node->attributes_dirty = false;
      put_record(change, *node);
      tree->apply(std::move(change));
    }
  }
  references->end_building(sealed.id);
  return published;
}

}  // namespace weightfs::fs
