// The answer to one request of the kernel.
//
// A Reply answers exactly once: each answering function consumes it, and one that is dropped
// answers EIO. Answer last, with no lock held: the kernel may send the next request, or the file
// system may be unmounted, before an answering function returns. Not thread-safe; movable between
// threads.
#pragma once

#include <string_view>
#include <utility>

#include "fuse.h"
#include "weightfs/base/result.h"
#include "weightfs/fs/types.h"

namespace weightfs::mount {

class Reply {
 public:
  explicit Reply(fuse_req_t request) : request_(request) {}
  Reply(Reply&& other) noexcept : request_(std::exchange(other.request_, nullptr)) {}
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  // Who asks.
  fs::Caller caller() const;
  int caller_thread() const;
  // Its supplementary groups too; false where they can't be read.
  bool caller_is_in_group(gid_t group) const;
  // For libfuse's helpers that lay out directory entries; it stays this object's to answer.
  fuse_req_t request() const { return request_; }

  void error(Code code);
  void success();
  // The outcome of an operation that has no value.
  void status(const Status& status);
  // For requests that have no answer (forget).
  void nothing();

  void entry(const fs::Attributes& attributes);
  // No such name, which the kernel may remember.
  void missing_entry();
  void attributes(const fs::Attributes& attributes);
  void symlink_target(const std::string& target);
  void statistics(const fs::Statistics& statistics);

  // False when nobody waits for the answer any more: the caller closes the handle again.
  [[nodiscard]] bool opened(const fuse_file_info& info);
  [[nodiscard]] bool created(const fs::Attributes& attributes, const fuse_file_info& info);

  void written(std::size_t count_bytes);
  void offset(std::uint64_t offset_bytes);
  void bytes(std::string_view bytes);
  void data(const fs::ReadResult& result);
  // The value, its size where the caller's buffer has none, or ERANGE where it is too small.
  void sized_value(std::string_view value, std::size_t room_bytes);

 private:
  fuse_req_t take() { return std::exchange(request_, nullptr); }

  fuse_req_t request_;
};

// The kernel's form of attributes, and of a name that has them.
struct stat stat_of(const fs::Attributes& attributes);
fuse_entry_param entry_of(const fs::Attributes& attributes);

}  // namespace weightfs::mount
