// Reading and writing: the bytes go to and from the file system without a copy of ours.
#include "handle.h"
#include "operations.h"
#include "setgid.h"

namespace weightfs::mount {
namespace {

void read(Reply reply, Context& context, fuse_ino_t /*inode*/, std::size_t size_bytes, off_t offset,
          fuse_file_info* info) {
  const auto result =
      context.filesystem.read(handle_of(info), static_cast<std::uint64_t>(offset), size_bytes);
  if (!result) return reply.error(result.error().code);
  reply.data(*result);
}

bool is_in_memory(const fuse_bufvec& source) {
  return source.count == 1 && source.idx == 0 && source.off == 0 &&
         (source.buf[0].flags & FUSE_BUF_IS_FD) == 0;
}

// Moves everything that is left of `source` into the descriptor.
Result<std::size_t> fill_descriptor(fuse_bufvec& source, int fd, std::uint64_t offset_bytes) {
  fuse_bufvec target{};
  target.count = 1;
  target.buf[0].size = fuse_buf_size(&source);
  target.buf[0].flags = static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK);
  target.buf[0].fd = fd;
  target.buf[0].pos = static_cast<off_t>(offset_bytes);
  const ssize_t count = fuse_buf_copy(&target, &source, FUSE_BUF_SPLICE_MOVE);
  if (count < 0) return fail_errno(static_cast<int>(-count), "can't write to the staging file");
  return static_cast<std::size_t>(count);
}

Result<std::size_t> write_buffers(fs::Filesystem& filesystem, fs::Handle handle,
                                  std::uint64_t offset_bytes, fuse_bufvec& source) {
  if (is_in_memory(source)) {
    const ByteSpan bytes(static_cast<const std::byte*>(source.buf[0].mem), source.buf[0].size);
    return filesystem.write(handle, offset_bytes, bytes);
  }
  return filesystem.write_from(
      handle, offset_bytes, fuse_buf_size(&source),
      [&source](int fd, std::uint64_t at_bytes) { return fill_descriptor(source, fd, at_bytes); });
}

void write(Reply reply, Context& context, fuse_ino_t /*inode*/, fuse_bufvec* source, off_t offset,
           fuse_file_info* info) {
  const auto written = write_buffers(context.filesystem, handle_of(info),
                                     static_cast<std::uint64_t>(offset), *source);
  if (!written) return reply.error(written.error().code);
  drop_setgid(reply, context.filesystem, handle_of(info));
  reply.written(*written);
}

}  // namespace

void add_data_operations(fuse_lowlevel_ops& table) {
  table.read = callback<read>;
  table.write_buf = callback<write>;
}

}  // namespace weightfs::mount
