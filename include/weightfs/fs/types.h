// The plain values that the file system's operations take and give.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weightfs/base/bytes.h"

namespace weightfs::fs {

// Never reused within a store; the root is kRootInode. FUSE's nodeid is the same number.
using InodeNumber = std::uint64_t;
constexpr InodeNumber kRootInode = 1;
constexpr std::size_t kMaxNameBytes = 255;

// An open file or directory, until it is released.
enum class Handle : std::uint64_t { none = 0 };

// Who asks. Permissions have been checked by the kernel (default_permissions).
struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t umask = 0;  // applied to new files where the parent has no default ACL
};

struct Attributes {
  InodeNumber inode = 0;
  std::uint32_t mode = 0;  // type and permissions, as st_mode
  std::uint32_t link_count = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t device = 0;  // st_rdev
  std::uint64_t size_bytes = 0;
  std::uint64_t blocks_512 = 0;  // stored bytes in units of 512, at least 1 where there is data
  timespec atime{};
  timespec mtime{};
  timespec ctime{};
  timespec btime{};
  // Nothing will change these without the kernel's asking for it, so they may be cached for long;
  // false while a file waits for its seal (its blocks_512 will change).
  bool settled = true;
};

// What setattr changes; what is not set stays.
struct SetAttributes {
  struct Time {
    bool now = false;
    timespec value{};
  };
  std::optional<std::uint32_t> mode;  // permission bits, with setuid, setgid and sticky
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size_bytes;
  std::optional<Time> atime;
  std::optional<Time> mtime;
  std::optional<timespec> ctime;
};

// A run of bytes of a read's answer: memory that `keep` keeps alive, or a part of a descriptor
// (which stays open as long as the handle that was read).
struct Segment {
  ByteSpan bytes;
  std::shared_ptr<const void> keep;
  int fd = -1;  // >= 0: fd_length_bytes at fd_offset_bytes instead of `bytes`
  std::uint64_t fd_offset_bytes = 0;
  std::uint64_t fd_length_bytes = 0;
};

struct ReadResult {
  std::vector<Segment> segments;
  std::uint64_t size_bytes = 0;  // of all segments; less than asked for at the end of the file
};

struct DirectoryEntry {
  std::string name;
  InodeNumber inode = 0;
  std::uint32_t type_mode = 0;    // the S_IFMT bits
  std::uint64_t next_cookie = 0;  // where to go on after this entry
};

struct Statistics {
  std::uint64_t block_bytes = 4096;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_available = 0;
  std::uint64_t inodes = 0;
  std::uint64_t inodes_free = 0;
};

enum class SeekKind { data, hole };
enum class AllocateKind { allocate, keep_size, punch_hole, zero_range, zero_range_keep_size };
enum class XattrMode { create_or_replace, create, replace };

struct RenameOptions {
  InodeNumber old_parent = 0;
  std::string old_name;
  InodeNumber new_parent = 0;
  std::string new_name;
  bool no_replace = false;
  bool exchange = false;
  // Whose whiteout takes the old name's place (a character device 0:0, which overlayfs reads as
  // "removed"); nothing for none, as with exchange.
  std::optional<Caller> whiteout_owner = std::nullopt;
};

struct CopyRange {
  Handle source = Handle::none;
  std::uint64_t source_offset_bytes = 0;
  Handle target = Handle::none;
  std::uint64_t target_offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};

}  // namespace weightfs::fs
