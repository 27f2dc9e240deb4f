#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "weightfs/ops/control.h"

namespace weightfs::ops {
namespace {

constexpr std::size_t kReceiveBytes = 65536;

// Room for the control message that carries descriptors, aligned for its header.
struct DescriptorBuffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxControlDescriptors * sizeof(int))> bytes{};
};

Status wait_for(int fd, int timeout_ms) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  int count = 0;
  do {
    count = ::poll(&waiting, 1, timeout_ms);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return fail_errno(errno, "poll on the control socket");
  if (count == 0) return fail(Code::again, "nothing came over the control socket in time");
  return {};
}

void take_descriptors(msghdr& message, std::vector<UniqueFd>& descriptors) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
}

void put_descriptors(msghdr& message, DescriptorBuffer& buffer, std::span<const int> descriptors) {
  if (descriptors.empty()) return;
  message.msg_control = buffer.bytes.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
}

}  // namespace

ControlChannel::ControlChannel(UniqueFd socket, const Limits& limits)
    : socket_(std::move(socket)), limits_(limits) {}

Status ControlChannel::receive_some(std::vector<UniqueFd>& descriptors) {
  WEIGHTFS_TRY(wait_for(socket_.get(), limits_.timeout_ms));
  std::array<char, kReceiveBytes> chunk;
  DescriptorBuffer control;
  iovec part{.iov_base = chunk.data(), .iov_len = chunk.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  if (count < 0) return fail_errno(errno, "can't read from the control socket");
  take_descriptors(message, descriptors);
  if (count == 0) return fail(Code::not_found, "the other end closed the control socket");
  if ((message.msg_flags & MSG_CTRUNC) != 0 || descriptors.size() > kMaxControlDescriptors) {
    return fail(Code::invalid, "too many descriptors came over the control socket");
  }
  pending_.append(chunk.data(), static_cast<std::size_t>(count));
  return {};
}

Result<ControlChannel::Message> ControlChannel::receive() {
  Message message;
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = pending_.find('\n', searched);
    if (end != std::string::npos && end <= limits_.line_bytes) {
      message.line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return message;
    }
    if (pending_.size() > limits_.line_bytes) {
      return fail(Code::invalid, "a line over the control socket is too long");
    }
    searched = pending_.size();
    WEIGHTFS_TRY(receive_some(message.descriptors));
  }
}

Status ControlChannel::send(std::string_view line, std::span<const int> descriptors) {
  if (descriptors.size() > kMaxControlDescriptors) {
    return fail(Code::invalid, "too many descriptors for one request");
  }
  std::string text(line);
  text += '\n';
  DescriptorBuffer control;
  for (std::size_t sent = 0; sent < text.size();) {
    iovec part{.iov_base = text.data() + sent, .iov_len = text.size() - sent};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (sent == 0) put_descriptors(message, control, descriptors);
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "can't write to the control socket");
    sent += static_cast<std::size_t>(count);
  }
  return {};
}

}  // namespace weightfs::ops
