#include "lending.h"

#include <fcntl.h>

#include <chrono>

#include "channel.h"
#include "weightfs/base/log.h"

namespace weightfs::mount {
namespace {

using std::chrono_literals::operator""ms;

// How soon after its source cp(1) opens its target.
constexpr std::chrono::nanoseconds kCopyBegins = 100ms;

// Whose writes come here: the file system itself must hear of each that is to be durable, the disk
// refuses direct I/O that does not meet its sectors, and the kernel goes on appending to a backing
// file when the flag was taken away with fcntl(2).
constexpr int kFlagsOfWritesToServe = O_SYNC | O_DSYNC | O_DIRECT | O_APPEND;

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace

// A guess: what it gets wrong is only less quick.
bool Lending::is_copying(int flags, int thread) {
  Reader& reader = readers_[static_cast<unsigned>(thread) % readers_.size()];
  if ((flags & O_ACCMODE) == O_RDONLY) {
    reader.thread = thread;
    reader.since_ns = now_ns();
    return false;
  }
  return reader.thread == thread && now_ns() - reader.since_ns < kCopyBegins.count();
}

std::optional<Lending::Loan> Lending::lend(fs::InodeNumber inode, fs::Handle handle, int flags,
                                           int thread) {
  if (!works_) return std::nullopt;
  const bool only_mappings = (flags & kFlagsOfWritesToServe) != 0;
  const bool copies = is_copying(flags, thread);
  const bool only_reads = (flags & O_ACCMODE) == O_RDONLY;
  Shard& shard = shard_of(inode);
  const std::lock_guard guard(shard.mutex);
  const auto known = shard.backings.find(inode);
  const bool is_lent = known != shard.backings.end();
  if (!is_lent && (copies || only_mappings || only_reads)) return std::nullopt;
  const std::optional<int> fd = filesystem_.lend(handle);
  if (!fd) return std::nullopt;
  if (is_lent) {
    known->second.handles.insert(handle);
    return Loan{.backing_id = known->second.id, .only_mappings = only_mappings};
  }
  const Result<std::int32_t> id = open_backing(session_fd_, *fd);
  if (!id) {
    log::info("{}: files are written through this process", id.error().message);
    works_ = false;
    filesystem_.take_back(handle);
    return std::nullopt;
  }
  shard.backings.emplace(inode, Backing{.id = *id, .handles = {handle}});
  return Loan{.backing_id = *id};
}

void Lending::release(fs::InodeNumber inode, fs::Handle handle) {
  Shard& shard = shard_of(inode);
  std::unique_lock guard(shard.mutex);
  const auto known = shard.backings.find(inode);
  if (known == shard.backings.end() || known->second.handles.erase(handle) == 0) {
    guard.unlock();
  } else if (known->second.handles.empty()) {
    close_backing(session_fd_, known->second.id);
    shard.backings.erase(known);
  }
  // Of a lent handle with the lock held: else the file system would go on lending a file here that
  // somebody has just opened otherwise.
  filesystem_.release(handle);
}

}  // namespace weightfs::mount
