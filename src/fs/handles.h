// Open files and directories. Thread-safe.
#pragma once

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "node.h"

namespace weightfs::fs {

// Where a listing ends: entries that come later, and those that are renamed while it goes on, have
// greater cookies. Without an end, a program that renames what it lists would list for ever.
using ListingEnd = std::atomic<std::uint64_t>;

struct OpenFile {
  NodePointer node;
  bool readable = false;
  bool writable = false;
  bool append = false;
  bool keeps_atime = false;                   // O_NOATIME
  std::shared_ptr<ListingEnd> listing_end{};  // of a directory; 0 until the listing begins
  mutable bool is_lent = false;               // counts in its node's Loan; protected by its mutex
};

class HandleTable {
 public:
  Handle add(OpenFile file) {
    const std::lock_guard guard(mutex_);
    const auto handle = static_cast<Handle>(++last_);
    files_.emplace(handle, std::make_shared<const OpenFile>(std::move(file)));
    return handle;
  }
  Result<std::shared_ptr<const OpenFile>> get(Handle handle) const {
    const std::shared_lock guard(mutex_);
    const auto found = files_.find(handle);
    if (found == files_.end()) return fail(Code::bad_handle, "no such open file");
    return found->second;
  }
  std::shared_ptr<const OpenFile> take(Handle handle) {
    const std::lock_guard guard(mutex_);
    const auto found = files_.find(handle);
    if (found == files_.end()) return nullptr;
    std::shared_ptr<const OpenFile> file = std::move(found->second);
    files_.erase(found);
    return file;
  }

 private:
  mutable std::shared_mutex mutex_;  // protects what follows; a leaf in the lock order
  std::uint64_t last_ = 0;
  std::unordered_map<Handle, std::shared_ptr<const OpenFile>> files_;
};

}  // namespace weightfs::fs
