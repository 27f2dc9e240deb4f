#include "crash_performer.h"

#include <fcntl.h>

#include "weightfs/base/bytes.h"
#include "weightfs/base/fd.h"

namespace weightfs::fs {
namespace {

using Kind = Operation::Kind;

Status copy_all(Filesystem& filesystem, Handle from, Handle to, std::uint64_t size_bytes) {
  for (std::uint64_t done = 0; done < size_bytes;) {
    WEIGHTFS_ASSIGN(const std::uint64_t copied,
                    filesystem.copy_range({.source = from,
                                           .source_offset_bytes = done,
                                           .target = to,
                                           .target_offset_bytes = done,
                                           .length_bytes = size_bytes - done}));
    if (copied == 0) return fail(Code::io, "the source of a copy ended early");
    done += copied;
  }
  return {};
}

Status sync_root(Filesystem& filesystem) {
  WEIGHTFS_ASSIGN(const Handle root, filesystem.open_directory(kRootInode));
  Status done = filesystem.sync_directory(root);
  filesystem.release(root);
  return done;
}

}  // namespace

Performer::~Performer() {
  for (const auto& [name, opened] : held_) close(opened);
}

void Performer::close(const Opened& opened) {
  filesystem_.release(opened.handle);
  filesystem_.forget(opened.inode, 1);
}

void Performer::close_held(const std::string& name) {
  const auto held = held_.find(name);
  if (held == held_.end()) return;
  close(held->second);
  held_.erase(held);
}

template <class Use>
Status Performer::with_open_file(const std::string& name, const Use& use) {
  WEIGHTFS_ASSIGN(const Attributes found, filesystem_.lookup(kRootInode, name));
  WEIGHTFS_ASSIGN(const Handle handle, filesystem_.open_file(found.inode, O_RDWR));
  const Opened opened{.handle = handle, .inode = found.inode};
  Status done = use(opened);
  close(opened);
  return done;
}

Status Performer::perform_create(const Operation& operation, const std::string& name) {
  WEIGHTFS_ASSIGN(const auto made, filesystem_.create(kRootInode, name, 0644, O_RDWR, {}));
  const Opened opened{.handle = made.handle, .inode = made.attributes.inode};
  const bool holds = operation.stamp % 2 == 0 && filesystem_.lend(made.handle).has_value();
  if (holds) {
    held_[name] = opened;
  } else {
    close(opened);
  }
  return {};
}

Status Performer::perform_copy(const Operation& operation) {
  WEIGHTFS_TRY(perform_create(operation, operation.other));
  return with_open_file(operation.name, [&](const Opened& from) {
    return with_open_file(operation.other, [&](const Opened& to) {
      return copy_all(filesystem_, from.handle, to.handle, operation.length_bytes);
    });
  });
}

Status Performer::write(const Operation& operation, const Opened& opened) {
  const std::string bytes =
      stamped_bytes(operation.stamp, operation.offset_bytes, operation.length_bytes);
  if (const auto fd = filesystem_.lend(opened.handle)) {
    return write_exactly(*fd, operation.offset_bytes, bytes_of(bytes));
  }
  WEIGHTFS_TRY(filesystem_.write(opened.handle, operation.offset_bytes, bytes_of(bytes)));
  return {};
}

Status Performer::perform_on_handle(const Operation& operation, const Opened& opened) {
  if (operation.kind == Kind::sync) return filesystem_.sync(opened.handle);
  if (operation.kind == Kind::truncate) {
    SetAttributes changes;
    changes.size_bytes = operation.length_bytes;
    WEIGHTFS_TRY(filesystem_.set_attributes(opened.inode, changes));
    return {};
  }
  if (operation.kind == Kind::punch) {
    return filesystem_.allocate(opened.handle, AllocateKind::punch_hole, operation.offset_bytes,
                                operation.length_bytes);
  }
  return write(operation, opened);
}

Status Performer::perform(const Operation& operation) {
  if (!held_.empty() && operation.stamp % 7 == 0) close_held(held_.begin()->first);
  switch (operation.kind) {
    case Kind::create:
      return perform_create(operation, operation.name);
    case Kind::copy:
      return perform_copy(operation);
    case Kind::rename:
      close_held(operation.other);
      if (auto held = held_.extract(operation.name)) {
        held.key() = operation.other;
        held_.insert(std::move(held));
      }
      return filesystem_.rename({.old_parent = kRootInode,
                                 .old_name = operation.name,
                                 .new_parent = kRootInode,
                                 .new_name = operation.other});
    case Kind::unlink:
      close_held(operation.name);
      return filesystem_.unlink(kRootInode, operation.name);
    case Kind::sync_directory:
      return sync_root(filesystem_);
    case Kind::sync_all:
      return filesystem_.sync_all();
    case Kind::write:
    case Kind::truncate:
    case Kind::punch:
    case Kind::sync:
      break;
  }
  return with_open_file(operation.name,
                        [&](const Opened& opened) { return perform_on_handle(operation, opened); });
}

}  // namespace weightfs::fs
