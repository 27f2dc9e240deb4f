// A store's directory: where its parts lie, which version it is, and who has it.
//
//   STORE/format    one line: "weightfs store 1"
//   STORE/lock      flock'ed by the process that has the store open for writing; holds its pid
//   STORE/meta/     the metadata environment
//   STORE/blobs/    the blob environment
//   STORE/staging/  files that are being written
//   STORE/control   the daemon's socket, while it is mounted
#pragma once

#include <string>

#include "weightfs/base/fd.h"
#include "weightfs/base/result.h"

namespace weightfs::store {

class Directory {
 public:
  struct Options {
    bool create = true;
    // No lock is taken when reading only, since nothing is written; the caller must know that no
    // other process writes.
    bool read_only = false;
  };
  // Code::not_found: no store there and not to be made. Code::invalid: something else is there.
  // Code::busy: another process has it; the message names its pid. Code::newer_version.
  static Result<Directory> open(const std::string& path, const Options& options);

  // An absolute path without symlinks.
  const std::string& path() const { return path_; }
  std::string meta_path() const { return path_ + "/meta"; }
  std::string blobs_path() const { return path_ + "/blobs"; }
  std::string staging_path() const { return path_ + "/staging"; }
  std::string control_path() const { return path_ + "/control"; }

 private:
  Directory(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;  // the lock goes when this is closed
};

// The pid in STORE/lock if a process holds the lock, 0 if none does.
Result<int> lock_holder(const std::string& store_path);

}  // namespace weightfs::store
