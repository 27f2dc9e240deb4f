// Puts items into an open store. Runs in a command on an unmounted store, or in the daemon.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "item.h"
#include "weightfs/base/fd.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::ops::transfer {

// Where imported items go: a store that is open here, or one behind a socket. Single-threaded.
class ImportTarget {
 public:
  virtual ~ImportTarget() = default;
  // Items are numbered in this order. `content` is open for reading where the item is a regular
  // file and no further hard link. An error ends the whole import; an item's own comes with
  // flush().
  virtual Status add(const Item& item, UniqueFd content) = 0;
  // The results of all items since the last flush, in no order.
  virtual Result<std::vector<ItemResult>> flush() = 0;
};

class StoreWriter final : public ImportTarget {
 public:
  // `advance` is told, from any thread, the content bytes that were read.
  StoreWriter(fs::Filesystem& filesystem, std::function<void(std::uint64_t)> advance)
      : filesystem_(filesystem), advance_(std::move(advance)) {}
  ~StoreWriter() override { filesystem_.finish_imports(); }

  Status add(const Item& item, UniqueFd content) override;
  Result<std::vector<ItemResult>> flush() override;

 private:
  Result<Outcome> place(const Item& item);
  Result<Outcome> finish_directory(const Item& item);
  void place_file(const Item& item, UniqueFd content, std::uint64_t number);
  Result<Outcome> make_directory(const Item& item, fs::InodeNumber parent, std::string_view name);
  Result<Outcome> make_link(const Item& item, fs::InodeNumber parent, std::string_view name);
  Result<Outcome> make_special(const Item& item, fs::InodeNumber parent, std::string_view name);
  Status remove_other(fs::InodeNumber parent, std::string_view name,
                      const fs::Attributes& existing);
  Status set_metadata(fs::InodeNumber inode, const Item& item);
  void finish(std::uint64_t number, const Result<Outcome>& outcome, std::uint64_t stored_bytes = 0);

  fs::Filesystem& filesystem_;
  const std::function<void(std::uint64_t)> advance_;
  std::uint64_t next_number_ = 0;
  std::vector<std::pair<std::uint64_t, Item>> unfinished_;
  std::mutex mutex_;  // protects results_; a leaf in the lock order
  std::vector<ItemResult> results_;
};

}  // namespace weightfs::ops::transfer
