// Ordinary files in the store that take writes until a file is sealed.
//
// A staging file has the offsets of the file that it stands for; which of its bytes count is said
// by the inode's ContentRecord alone. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "weightfs/base/fd.h"
#include "weightfs/tree/records.h"

namespace weightfs::file {

// One open staging file. Shared by the inode and by replies that still read from it.
class StagedFile {
 public:
  using OpenCount = std::shared_ptr<std::atomic<std::size_t>>;

  // Counts itself in `open_count` as long as it lives.
  StagedFile(tree::StagingId id, UniqueFd fd, OpenCount open_count)
      : id_(id), fd_(std::move(fd)), open_count_(std::move(open_count)) {
    ++*open_count_;
  }
  ~StagedFile() { --*open_count_; }
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  tree::StagingId id() const { return id_; }
  int fd() const { return fd_.get(); }
  // A content record in the tables has named it, so a crash may come back to its bytes even when
  // the tables no longer do. Thread-safe.
  bool was_committed() const { return was_committed_; }
  void note_committed() { was_committed_ = true; }

 private:
  tree::StagingId id_;
  UniqueFd fd_;
  OpenCount open_count_;
  std::atomic<bool> was_committed_{false};
};

class StagingArea {
 public:
  // `path`: the directory, which is made when it is not there (unless read-only).
  static Result<std::unique_ptr<StagingArea>> open(const std::string& path, bool read_only);

  // A new, empty staging file under an id that was never used.
  Result<std::shared_ptr<StagedFile>> create(tree::StagingId id);
  Result<std::shared_ptr<StagedFile>> open_existing(tree::StagingId id) const;
  Status remove(tree::StagingId id);
  Result<std::vector<tree::StagingId>> list() const;
  // Makes the names of files that were created before the call durable; cheap where there are none.
  Status sync_names();
  // Bytes that unprivileged writers may still use on the store's disk.
  Result<std::uint64_t> free_bytes() const;
  // Code::no_space where `wanted_bytes` more would leave less than the reserve that metadata needs.
  Status check_room(std::uint64_t wanted_bytes) const;
  // Takes that reserve from the disk, for those who write without asking, until it is yielded a
  // half at a time, or all of it. Code::no_space where there is none.
  Status keep_reserve();
  bool yield_reserve();
  void drop_reserve();
  // Whether so many staging files are open that the process may soon have no descriptor left.
  bool is_crowded() const { return *open_count_ > most_open_; }

 private:
  StagingArea(std::string path, bool read_only);
  std::string path_of(tree::StagingId id) const;

  std::string path_;
  bool read_only_;
  StagedFile::OpenCount open_count_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::size_t most_open_;
  std::atomic<bool> has_new_names_{false};
  std::mutex sync_mutex_;     // whoever finds no new names knows that they are durable; a leaf
  std::mutex reserve_mutex_;  // protects what follows; a leaf
  UniqueFd reserve_;
  std::uint64_t reserve_bytes_ = 0;
};

}  // namespace weightfs::file
