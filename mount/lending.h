// Which open files the kernel moves the bytes of by itself (FUSE passthrough).
//
// Thread-safe. A file's first handle decides: as long as it is lent, every other handle of the file
// is, with the same backing file; the kernel fails opens (EIO) that mix. Where the kernel does not
// take part (before Linux 6.9, a daemon without CAP_SYS_ADMIN) nothing is lent.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "weightfs/fs/filesystem.h"

namespace weightfs::mount {

class Lending {
 public:
  Lending(fs::Filesystem& filesystem, bool wanted) : filesystem_(filesystem), works_(wanted) {}

  // Before the first request.
  void connect(int session_fd) { session_fd_ = session_fd; }
  bool is_wanted() const { return works_; }

  struct Loan {
    std::int32_t backing_id = 0;
    bool only_mappings = false;  // read(2) and write(2) come here all the same
  };
  // How a handle is lent that was just opened by `thread` with open(2)'s `flags`; nothing where
  // read() and write() serve it.
  std::optional<Loan> lend(fs::InodeNumber inode, fs::Handle handle, int flags, int thread);
  // Closes the handle, lent or not.
  void release(fs::InodeNumber inode, fs::Handle handle);

 private:
  struct Backing {
    std::int32_t id = 0;
    std::unordered_set<fs::Handle> handles;
  };

  // The files of some inodes, so that who waits for one file holds few others up.
  struct Shard {
    std::mutex mutex;  // protects what follows; before the file system's
    std::unordered_map<fs::InodeNumber, Backing> backings;
  };

  Shard& shard_of(fs::InodeNumber inode) { return shards_[inode % shards_.size()]; }
  bool is_copying(int flags, int thread);

  // Who has just opened a file for reading: a copy within the mount costs nothing where both its
  // files are served here (copy_file_range).
  struct Reader {
    std::atomic<int> thread{0};
    std::atomic<std::int64_t> since_ns{0};
  };

  fs::Filesystem& filesystem_;
  std::atomic<bool> works_;
  int session_fd_ = -1;
  std::array<Reader, 256> readers_;
  std::array<Shard, 64> shards_;
};

}  // namespace weightfs::mount
