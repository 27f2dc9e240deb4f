#include "reply.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <climits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "error_number.h"
#include "weightfs/base/bytes.h"
#include "weightfs/base/fd.h"

namespace weightfs::mount {
namespace {

// Names and attributes change only through the kernel, which keeps its caches right by itself; what
// changes otherwise is told to it (notifier.h).
constexpr double kForeverSeconds = 86400;
// For attributes that the file system will change by itself.
constexpr double kUnsettledSeconds = 1;

double lifetime_seconds(const fs::Attributes& attributes) {
  return attributes.settled ? kForeverSeconds : kUnsettledSeconds;
}

// As many parts as writev(2) takes, less libfuse's header: it neither splits more nor answers the
// request then, and whoever reads would wait forever.
constexpr std::size_t kMostParts = IOV_MAX - 1;

// Where a file is a great many small tensors.
void reply_joined(fuse_req_t request, const std::vector<fs::Segment>& segments) {
  thread_local ByteVector joined;  // at most a read request long
  joined.clear();
  for (const fs::Segment& segment : segments) {
    joined.insert(joined.end(), segment.bytes.begin(), segment.bytes.end());
  }
  const std::string_view text = text_of(joined);
  fuse_reply_buf(request, text.data(), text.size());
}

void reply_from_memory(fuse_req_t request, const std::vector<fs::Segment>& segments) {
  if (segments.size() > kMostParts) return reply_joined(request, segments);
  std::vector<iovec> parts;
  parts.reserve(segments.size());
  for (const fs::Segment& segment : segments) {
    parts.push_back({const_cast<std::byte*>(segment.bytes.data()), segment.bytes.size()});
  }
  fuse_reply_iov(request, parts.data(), static_cast<int>(parts.size()));
}

fuse_buf buffer_of(const fs::Segment& segment) {
  fuse_buf buffer{};
  if (segment.fd < 0) {
    buffer.mem = const_cast<std::byte*>(segment.bytes.data());
    buffer.size = segment.bytes.size();
    return buffer;
  }
  buffer.flags = static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK);
  buffer.fd = segment.fd;
  buffer.pos = static_cast<off_t>(segment.fd_offset_bytes);
  buffer.size = segment.fd_length_bytes;
  return buffer;
}

// A fuse_bufvec of any length: the structure ends in an array of one.
class BufferVector {
 public:
  explicit BufferVector(const std::vector<fs::Segment>& segments)
      : storage_(1 + (segments.size() * sizeof(fuse_buf)) / sizeof(fuse_bufvec) + 1) {
    fuse_bufvec& vector = storage_.front();
    vector = fuse_bufvec{};
    vector.count = segments.size();
    std::transform(segments.begin(), segments.end(), &vector.buf[0], buffer_of);
  }
  fuse_bufvec* get() { return storage_.data(); }

 private:
  std::vector<fuse_bufvec> storage_;
};

// cp(1) and others write in units of this. A file that is about to be written is best written by
// the largest request; who reads wants small units where he jumps about.
blksize_t preferred_io_bytes(const fs::Attributes& attributes) {
  constexpr blksize_t kPageBytes = 4096;
  constexpr blksize_t kLargestWriteBytes = 1 << 20;
  const bool is_new = S_ISREG(attributes.mode) && attributes.size_bytes == 0;
  return is_new ? kLargestWriteBytes : kPageBytes;
}

}  // namespace

struct stat stat_of(const fs::Attributes& attributes) {
  struct stat status {};
  status.st_ino = attributes.inode;
  status.st_mode = attributes.mode;
  status.st_nlink = attributes.link_count;
  status.st_uid = attributes.uid;
  status.st_gid = attributes.gid;
  status.st_rdev = attributes.device;
  status.st_size = static_cast<off_t>(attributes.size_bytes);
  status.st_blocks = static_cast<blkcnt_t>(attributes.blocks_512);
  status.st_blksize = preferred_io_bytes(attributes);
  status.st_atim = attributes.atime;
  status.st_mtim = attributes.mtime;
  status.st_ctim = attributes.ctime;
  return status;
}

fuse_entry_param entry_of(const fs::Attributes& attributes) {
  fuse_entry_param entry{};
  entry.ino = attributes.inode;
  entry.attr = stat_of(attributes);
  entry.attr_timeout = lifetime_seconds(attributes);
  entry.entry_timeout = kForeverSeconds;
  return entry;
}

Reply::~Reply() {
  if (request_ != nullptr) error(Code::io);
}

fs::Caller Reply::caller() const {
  const fuse_ctx& context = *fuse_req_ctx(request_);
  return {.uid = context.uid, .gid = context.gid, .umask = context.umask};
}

int Reply::caller_thread() const {
  return fuse_req_ctx(request_)->pid;
}

// By /proc/PID/status: libfuse's fuse_req_getgroups() searches a text there that has no end.
bool Reply::caller_is_in_group(gid_t group) const {
  const fuse_ctx& context = *fuse_req_ctx(request_);
  if (context.gid == group) return true;
  const auto status = read_whole_file("/proc/" + std::to_string(context.pid) + "/status");
  if (!status) return false;
  constexpr std::string_view kField = "\nGroups:";
  const std::size_t at = status->find(kField);
  if (at == std::string::npos) return false;
  const std::size_t begin = at + kField.size();
  std::istringstream groups(status->substr(begin, status->find('\n', begin) - begin));
  for (gid_t each = 0; groups >> each;) {
    if (each == group) return true;
  }
  return false;
}

void Reply::error(Code code) {
  fuse_reply_err(take(), errno_of(code));
}
void Reply::success() {
  fuse_reply_err(take(), 0);
}
void Reply::nothing() {
  fuse_reply_none(take());
}

void Reply::status(const Status& status) {
  if (status) {
    success();
  } else {
    error(status.error().code);
  }
}

void Reply::entry(const fs::Attributes& attributes) {
  const fuse_entry_param entry = entry_of(attributes);
  fuse_reply_entry(take(), &entry);
}

void Reply::missing_entry() {
  fuse_entry_param entry{};
  entry.entry_timeout = kForeverSeconds;
  fuse_reply_entry(take(), &entry);
}

void Reply::attributes(const fs::Attributes& attributes) {
  const struct stat status = stat_of(attributes);
  fuse_reply_attr(take(), &status, lifetime_seconds(attributes));
}

void Reply::symlink_target(const std::string& target) {
  fuse_reply_readlink(take(), target.c_str());
}

void Reply::statistics(const fs::Statistics& statistics) {
  struct statvfs status {};
  status.f_bsize = statistics.block_bytes;
  status.f_frsize = statistics.block_bytes;
  status.f_blocks = statistics.blocks;
  status.f_bfree = statistics.blocks_free;
  status.f_bavail = statistics.blocks_available;
  status.f_files = statistics.inodes;
  status.f_ffree = statistics.inodes_free;
  status.f_favail = statistics.inodes_free;
  status.f_namemax = fs::kMaxNameBytes;
  fuse_reply_statfs(take(), &status);
}

bool Reply::opened(const fuse_file_info& info) {
  return fuse_reply_open(take(), &info) == 0;
}

bool Reply::created(const fs::Attributes& attributes, const fuse_file_info& info) {
  const fuse_entry_param entry = entry_of(attributes);
  return fuse_reply_create(take(), &entry, &info) == 0;
}

void Reply::written(std::size_t count_bytes) {
  fuse_reply_write(take(), count_bytes);
}
void Reply::offset(std::uint64_t offset_bytes) {
  fuse_reply_lseek(take(), static_cast<off_t>(offset_bytes));
}
void Reply::bytes(std::string_view bytes) {
  fuse_reply_buf(take(), bytes.data(), bytes.size());
}

void Reply::data(const fs::ReadResult& result) {
  const auto in_a_file = [](const fs::Segment& segment) { return segment.fd >= 0; };
  if (std::none_of(result.segments.begin(), result.segments.end(), in_a_file)) {
    reply_from_memory(take(), result.segments);
  } else {
    BufferVector buffers(result.segments);
    fuse_reply_data(take(), buffers.get(), FUSE_BUF_SPLICE_MOVE);
  }
}

void Reply::sized_value(std::string_view value, std::size_t room_bytes) {
  if (room_bytes == 0) {
    fuse_reply_xattr(take(), value.size());
  } else if (room_bytes < value.size()) {
    error(Code::result_range);
  } else {
    bytes(value);
  }
}

}  // namespace weightfs::mount
