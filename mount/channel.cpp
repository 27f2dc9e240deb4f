#include "channel.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <span>

namespace weightfs::mount {
namespace {

// Of protocol 7.40; Debian 12's header has 7.36.
constexpr std::uint32_t kInitExtended = 1U << 30;            // FUSE_INIT_EXT
constexpr std::uint32_t kInitPassthrough = 1U << (37 - 32);  // FUSE_PASSTHROUGH, in flags2
constexpr std::uint32_t kOpenPassthrough = 1U << 7;          // FOPEN_PASSTHROUGH
constexpr std::uint32_t kMostStackedFilesystems = 1;

struct InitReply {  // fuse_init_out
  std::uint32_t major, minor, max_readahead, flags;
  std::uint16_t max_background, congestion_threshold;
  std::uint32_t max_write, time_granularity;
  std::uint16_t max_pages, map_alignment;
  std::uint32_t flags2, max_stack_depth;
  std::uint32_t unused[6];
};
static_assert(sizeof(InitReply) == sizeof(fuse_init_out));

struct OpenReply {  // fuse_open_out
  std::uint64_t handle;
  std::uint32_t open_flags;
  std::int32_t backing_id;
};
static_assert(sizeof(OpenReply) == sizeof(fuse_open_out));

struct BackingMap {  // fuse_backing_map
  std::int32_t fd;
  std::uint32_t flags;
  std::uint64_t padding;
};
#ifndef FUSE_DEV_IOC_BACKING_OPEN
#define FUSE_DEV_IOC_BACKING_OPEN _IOW(FUSE_DEV_IOC_MAGIC, 1, BackingMap)
#define FUSE_DEV_IOC_BACKING_CLOSE _IOW(FUSE_DEV_IOC_MAGIC, 2, std::uint32_t)
#endif

// What the next reply of this thread is to say.
thread_local bool offers_passthrough = false;
thread_local std::optional<std::int32_t> backing_of_reply;

// Changes the last sizeof(T) bytes of a reply, which is a header and its payload.
template <class T, class Change>
void change_tail(std::span<const iovec> parts, Change change) {
  if (parts.empty() || parts.back().iov_len < sizeof(T)) return;
  auto* at = static_cast<std::byte*>(parts.back().iov_base) + parts.back().iov_len - sizeof(T);
  T value{};
  std::memcpy(&value, at, sizeof value);
  change(value);
  std::memcpy(at, &value, sizeof value);
}

bool is_success(std::span<const iovec> parts) {
  fuse_out_header header{};
  if (parts.size() < 2 || parts.front().iov_len != sizeof header) return false;
  std::memcpy(&header, parts.front().iov_base, sizeof header);
  return header.error == 0;
}

ssize_t send(int fd, iovec* parts, int count, void* /*userdata*/) {
  const std::span<const iovec> reply(parts, static_cast<std::size_t>(count));
  if (offers_passthrough && is_success(reply)) {
    offers_passthrough = false;
    change_tail<InitReply>(reply, [](InitReply& init) {
      init.flags |= kInitExtended;
      init.flags2 |= kInitPassthrough;
      init.max_stack_depth = kMostStackedFilesystems;
    });
  }
  if (backing_of_reply && is_success(reply)) {
    change_tail<OpenReply>(reply, [](OpenReply& open) {
      open.open_flags |= kOpenPassthrough;
      open.backing_id = *backing_of_reply;
    });
  }
  return ::writev(fd, parts, count);
}

ssize_t receive(int fd, void* buffer, std::size_t size_bytes, void* /*userdata*/) {
  return ::read(fd, buffer, size_bytes);
}

ssize_t move(int from_fd, off_t* from_offset, int to_fd, off_t* to_offset, std::size_t size_bytes,
             unsigned flags, void* /*userdata*/) {
  return ::splice(from_fd, from_offset, to_fd, to_offset, size_bytes, flags);
}

}  // namespace

Status attach_channel(fuse_session* session) {
  static constexpr fuse_custom_io kChannel{
      .writev = send, .read = receive, .splice_receive = move, .splice_send = move};
  const int refused = fuse_session_custom_io(session, &kChannel, fuse_session_fd(session));
  if (refused != 0) return fail_errno(-refused, "libfuse refuses its channel");
  return {};
}

void offer_passthrough() {
  offers_passthrough = true;
}

PassthroughReply::PassthroughReply(std::int32_t backing_id) {
  backing_of_reply = backing_id;
}
PassthroughReply::~PassthroughReply() {
  backing_of_reply.reset();
}

Result<std::int32_t> open_backing(int session_fd, int fd) {
  BackingMap map{.fd = fd, .flags = 0, .padding = 0};
  const int id = ::ioctl(session_fd, FUSE_DEV_IOC_BACKING_OPEN, &map);
  if (id < 0) return fail_errno(errno, "the kernel takes no backing file");
  return id;
}

void close_backing(int session_fd, std::int32_t backing_id) {
  auto id = static_cast<std::uint32_t>(backing_id);
  (void)::ioctl(session_fd, FUSE_DEV_IOC_BACKING_CLOSE, &id);
}

}  // namespace weightfs::mount
