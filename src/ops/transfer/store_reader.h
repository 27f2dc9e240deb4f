// Takes items out of an open store. Runs in a command on an unmounted store, or in the daemon.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "item.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::ops::transfer {

// Where exported items come from. Single-threaded.
class ExportSource {
 public:
  virtual ~ExportSource() = default;
  virtual Result<Item> find(const std::string& path) = 0;
  // A piece of a directory from `cookie` on, 0 at first; `cookie` becomes where to go on, and the
  // piece is empty at the end. Items have bare names.
  virtual Result<std::vector<Item>> list(std::uint64_t inode, std::uint64_t& cookie) = 0;
  // Writes a regular file's content into `target_fd`, leaving holes where it has them, and sets its
  // length.
  virtual Status copy(std::uint64_t inode, int target_fd) = 0;
};

class StoreReader final : public ExportSource {
 public:
  // `advance` is told the content bytes that were written.
  StoreReader(fs::Filesystem& filesystem, std::function<void(std::uint64_t)> advance)
      : filesystem_(filesystem), advance_(std::move(advance)) {}

  Result<Item> find(const std::string& path) override;
  Result<std::vector<Item>> list(std::uint64_t inode, std::uint64_t& cookie) override;
  Status copy(std::uint64_t inode, int target_fd) override;

 private:
  Result<Item> item_of(const fs::Attributes& attributes, std::string name);
  Status copy_open(fs::Handle handle, std::uint64_t size_bytes, int target_fd);
  Status copy_run(fs::Handle handle, std::uint64_t begin_bytes, std::uint64_t end_bytes,
                  int target_fd);

  fs::Filesystem& filesystem_;
  const std::function<void(std::uint64_t)> advance_;
};

}  // namespace weightfs::ops::transfer
