// What goes between libfuse and the kernel, with what libfuse 3.14 can't say added: passthrough.
//
// Source: include/uapi/linux/fuse.h of Linux 6.9 (protocol 7.40), Documentation/filesystems/fuse/
// fuse-passthrough.rst. The replies are libfuse's own; the fields that it does not know are filled
// in on their way out, by the thread that answers.
#pragma once

#include <cstdint>

#include "fuse.h"
#include "weightfs/base/result.h"

namespace weightfs::mount {

// Puts itself between a session that was just mounted and the kernel.
Status attach_channel(fuse_session* session);

// Asks for passthrough in the reply to FUSE_INIT that this thread is about to give.
void offer_passthrough();

// While it lives, the reply to an open that this thread gives says that the kernel shall move the
// bytes to and from a backing file by itself.
class PassthroughReply {
 public:
  explicit PassthroughReply(std::int32_t backing_id);
  ~PassthroughReply();
  PassthroughReply(const PassthroughReply&) = delete;
  PassthroughReply& operator=(const PassthroughReply&) = delete;
};

// Makes `fd` known to the kernel as a backing file. Code::unsupported or Code::not_permitted where
// it does not want it: before Linux 6.9, and from anybody but root.
Result<std::int32_t> open_backing(int session_fd, int fd);
void close_backing(int session_fd, std::int32_t backing_id);

}  // namespace weightfs::mount
