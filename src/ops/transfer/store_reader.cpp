#include "store_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "store_path.h"
#include "weightfs/base/fd.h"

namespace weightfs::ops::transfer {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::size_t kEntriesAtOnce = 256;

// A handle that is released at the end of a scope.
class Opened {
 public:
  Opened(fs::Filesystem& filesystem, fs::Handle handle)
      : filesystem_(filesystem), handle_(handle) {}
  ~Opened() { filesystem_.release(handle_); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  fs::Handle get() const { return handle_; }

 private:
  fs::Filesystem& filesystem_;
  fs::Handle handle_;
};

Status write_segment(const fs::Segment& segment, std::uint64_t offset_bytes, int target_fd) {
  if (segment.fd < 0) return write_exactly(target_fd, offset_bytes, segment.bytes);
  ByteVector bytes(static_cast<std::size_t>(segment.fd_length_bytes));
  WEIGHTFS_TRY(read_exactly(segment.fd, segment.fd_offset_bytes, bytes));
  return write_exactly(target_fd, offset_bytes, bytes);
}

}  // namespace

Result<Item> StoreReader::item_of(const fs::Attributes& attributes, std::string name) {
  Item item;
  item.path = std::move(name);
  item.inode = attributes.inode;
  item.mode = attributes.mode;
  item.link_count = attributes.link_count;
  item.uid = attributes.uid;
  item.gid = attributes.gid;
  item.device = attributes.device;
  item.size_bytes = S_ISREG(attributes.mode) ? attributes.size_bytes : 0;
  item.atime = attributes.atime;
  item.mtime = attributes.mtime;
  if (S_ISLNK(attributes.mode)) {
    WEIGHTFS_ASSIGN(item.symlink_target, filesystem_.read_symlink(attributes.inode));
  }
  WEIGHTFS_ASSIGN(const std::vector<std::string> names, filesystem_.list_xattrs(attributes.inode));
  for (const std::string& xattr : names) {
    WEIGHTFS_ASSIGN(std::string value, filesystem_.get_xattr(attributes.inode, xattr));
    item.xattrs.emplace_back(xattr, std::move(value));
  }
  return item;
}

Result<Item> StoreReader::find(const std::string& path) {
  WEIGHTFS_ASSIGN(const fs::Attributes attributes, find_path(filesystem_, path));
  return item_of(attributes, std::string(split_path(path).second));
}

Result<std::vector<Item>> StoreReader::list(std::uint64_t inode, std::uint64_t& cookie) {
  WEIGHTFS_ASSIGN(const fs::Handle handle, filesystem_.open_directory(inode));
  const Opened opened(filesystem_, handle);
  std::vector<Item> items;
  while (items.empty()) {
    WEIGHTFS_ASSIGN(const auto entries, filesystem_.read_directory(handle, cookie, kEntriesAtOnce));
    if (entries.empty()) break;
    for (const fs::DirectoryEntry& entry : entries) {
      cookie = entry.next_cookie;
      if (entry.name == "." || entry.name == "..") continue;
      const auto attributes = filesystem_.get_attributes(entry.inode);
      if (!attributes) continue;  // removed meanwhile
      WEIGHTFS_ASSIGN(Item item, item_of(*attributes, entry.name));
      items.push_back(std::move(item));
    }
  }
  return items;
}

Status StoreReader::copy(std::uint64_t inode, int target_fd) {
  WEIGHTFS_ASSIGN(const fs::Handle handle, filesystem_.open_file(inode, O_RDONLY));
  const Opened opened(filesystem_, handle);
  WEIGHTFS_ASSIGN(const fs::Attributes attributes, filesystem_.get_attributes(inode));
  return copy_open(handle, attributes.size_bytes, target_fd);
}

Status StoreReader::copy_open(fs::Handle handle, std::uint64_t size_bytes, int target_fd) {
  std::uint64_t position = 0;
  while (position < size_bytes) {
    const auto data = filesystem_.seek(handle, position, fs::SeekKind::data);
    if (!data && data.error().code == Code::no_such_offset) break;
    if (!data) return tl::unexpected(data.error());
    WEIGHTFS_ASSIGN(const std::uint64_t hole, filesystem_.seek(handle, *data, fs::SeekKind::hole));
    const std::uint64_t end = std::min(hole, size_bytes);
    if (advance_) advance_(*data - position);
    WEIGHTFS_TRY(copy_run(handle, *data, end, target_fd));
    position = end;
  }
  if (advance_ && position < size_bytes) advance_(size_bytes - position);
  if (::ftruncate(target_fd, static_cast<off_t>(size_bytes)) != 0) {
    return fail_errno(errno, "can't set the length");
  }
  return {};
}

Status StoreReader::copy_run(fs::Handle handle, std::uint64_t begin_bytes, std::uint64_t end_bytes,
                             int target_fd) {
  for (std::uint64_t position = begin_bytes; position < end_bytes;) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, end_bytes - position));
    WEIGHTFS_ASSIGN(const fs::ReadResult read, filesystem_.read(handle, position, wanted));
    if (read.size_bytes == 0) return {};  // truncated meanwhile
    for (const fs::Segment& segment : read.segments) {
      const std::uint64_t length = segment.fd < 0 ? segment.bytes.size() : segment.fd_length_bytes;
      WEIGHTFS_TRY(write_segment(segment, position, target_fd));
      position += length;
      if (advance_) advance_(length);
    }
  }
  return {};
}

}  // namespace weightfs::ops::transfer
