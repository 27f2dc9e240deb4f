// Operations on open directories.
#include <algorithm>

#include "handle.h"
#include "operations.h"

namespace weightfs::mount {
namespace {

// The least that one entry takes of the kernel's buffer: its header and a short name.
constexpr std::size_t kSmallestEntryBytes = 32;
constexpr std::size_t kSmallestPlusEntryBytes = 160;

// Collects entries until the kernel's buffer is full.
class EntryBuffer {
 public:
  EntryBuffer(fuse_req_t request, std::size_t room_bytes)
      : request_(request), bytes_(room_bytes, 0) {}

  // False when the entry did not fit.
  bool add(const fs::DirectoryEntry& entry);
  bool add_plus(const fs::DirectoryEntry& entry, const fuse_entry_param& attributes);
  std::string_view view() const { return std::string_view(bytes_).substr(0, used_bytes_); }

 private:
  bool took(std::size_t size_bytes) {
    if (size_bytes > bytes_.size() - used_bytes_) return false;
    used_bytes_ += size_bytes;
    return true;
  }

  fuse_req_t request_;
  std::string bytes_;
  std::size_t used_bytes_ = 0;
};

bool EntryBuffer::add(const fs::DirectoryEntry& entry) {
  struct stat status {};
  status.st_ino = entry.inode;
  status.st_mode = entry.type_mode;
  return took(fuse_add_direntry(request_, bytes_.data() + used_bytes_, bytes_.size() - used_bytes_,
                                entry.name.c_str(), &status,
                                static_cast<off_t>(entry.next_cookie)));
}

bool EntryBuffer::add_plus(const fs::DirectoryEntry& entry, const fuse_entry_param& attributes) {
  return took(fuse_add_direntry_plus(request_, bytes_.data() + used_bytes_,
                                     bytes_.size() - used_bytes_, entry.name.c_str(), &attributes,
                                     static_cast<off_t>(entry.next_cookie)));
}

bool is_dot(const fs::DirectoryEntry& entry) {
  return entry.name == "." || entry.name == "..";
}

// A name without attributes, which counts no lookup: the kernel asks for it when it needs it.
fuse_entry_param name_only(const fs::DirectoryEntry& entry) {
  fuse_entry_param param{};
  param.attr.st_ino = entry.inode;
  param.attr.st_mode = entry.type_mode;
  return param;
}

bool add_remembered(EntryBuffer& buffer, fs::Filesystem& filesystem,
                    const fs::DirectoryEntry& entry) {
  if (is_dot(entry)) return buffer.add_plus(entry, name_only(entry));
  const auto attributes = filesystem.remember(entry.inode);
  if (!attributes) return buffer.add_plus(entry, name_only(entry));  // removed in between
  const bool added = buffer.add_plus(entry, entry_of(*attributes));
  if (!added) filesystem.forget(entry.inode, 1);
  return added;
}

void open_directory(Reply reply, Context& context, fuse_ino_t inode, fuse_file_info* info) {
  const auto handle = context.filesystem.open_directory(inode, info->flags);
  if (!handle) return reply.error(handle.error().code);
  set_handle(*info, *handle);
  // What the kernel answers from its cache moves no access time.
  const bool cached = !context.filesystem.options().strict_atime;
  info->cache_readdir = cached;
  info->keep_cache = cached;
  if (!reply.opened(*info)) context.filesystem.release(*handle);
}

void read_directory(Reply reply, Context& context, fuse_ino_t /*inode*/, std::size_t size_bytes,
                    off_t cookie, fuse_file_info* info) {
  const auto entries = context.filesystem.read_directory(
      handle_of(info), static_cast<std::uint64_t>(cookie), size_bytes / kSmallestEntryBytes + 1);
  if (!entries) return reply.error(entries.error().code);
  EntryBuffer buffer(reply.request(), size_bytes);
  for (const fs::DirectoryEntry& entry : *entries) {
    if (!buffer.add(entry)) break;
  }
  reply.bytes(buffer.view());
}

void read_directory_plus(Reply reply, Context& context, fuse_ino_t /*inode*/,
                         std::size_t size_bytes, off_t cookie, fuse_file_info* info) {
  const auto entries =
      context.filesystem.read_directory(handle_of(info), static_cast<std::uint64_t>(cookie),
                                        size_bytes / kSmallestPlusEntryBytes + 1);
  if (!entries) return reply.error(entries.error().code);
  EntryBuffer buffer(reply.request(), size_bytes);
  for (const fs::DirectoryEntry& entry : *entries) {
    if (!add_remembered(buffer, context.filesystem, entry)) break;
  }
  reply.bytes(buffer.view());
}

void release_directory(Reply reply, Context& context, fuse_ino_t /*inode*/, fuse_file_info* info) {
  context.filesystem.release(handle_of(info));
  reply.success();
}

void sync_directory(Reply reply, Context& context, fuse_ino_t /*inode*/, int /*data_only*/,
                    fuse_file_info* info) {
  reply.status(context.filesystem.sync_directory(handle_of(info)));
}

}  // namespace

void add_directory_operations(fuse_lowlevel_ops& table) {
  table.opendir = callback<open_directory>;
  table.readdir = callback<read_directory>;
  table.readdirplus = callback<read_directory_plus>;
  table.releasedir = callback<release_directory>;
  table.fsyncdir = callback<sync_directory>;
}

}  // namespace weightfs::mount
