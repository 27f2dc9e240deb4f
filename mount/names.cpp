// Operations on names: lookup, making, linking, renaming, removing, and forgetting.
#include <linux/fs.h>

#include <span>

#include "operations.h"

namespace weightfs::mount {
namespace {

void reply_entry(Reply reply, const Result<fs::Attributes>& made) {
  if (made) {
    reply.entry(*made);
  } else {
    reply.error(made.error().code);
  }
}

void lookup(Reply reply, Context& context, fuse_ino_t parent, const char* name) {
  const auto found = context.filesystem.lookup(parent, name);
  if (!found && found.error().code == Code::not_found) return reply.missing_entry();
  reply_entry(std::move(reply), found);
}

void forget(Reply reply, Context& context, fuse_ino_t inode, std::uint64_t count) {
  context.filesystem.forget(inode, count);
  reply.nothing();
}

void forget_multi(Reply reply, Context& context, std::size_t count, fuse_forget_data* forgets) {
  for (const fuse_forget_data& each : std::span(forgets, count)) {
    context.filesystem.forget(each.ino, each.nlookup);
  }
  reply.nothing();
}

void make_node(Reply reply, Context& context, fuse_ino_t parent, const char* name, mode_t mode,
               dev_t device) {
  const auto made = context.filesystem.make_node(parent, name, mode, device, reply.caller());
  reply_entry(std::move(reply), made);
}

void make_directory(Reply reply, Context& context, fuse_ino_t parent, const char* name,
                    mode_t mode) {
  const auto made = context.filesystem.make_directory(parent, name, mode, reply.caller());
  reply_entry(std::move(reply), made);
}

void make_symlink(Reply reply, Context& context, const char* target, fuse_ino_t parent,
                  const char* name) {
  const auto made = context.filesystem.make_symlink(parent, name, target, reply.caller());
  reply_entry(std::move(reply), made);
}

void read_symlink(Reply reply, Context& context, fuse_ino_t inode) {
  const auto target = context.filesystem.read_symlink(inode);
  if (!target) return reply.error(target.error().code);
  reply.symlink_target(*target);
}

void link(Reply reply, Context& context, fuse_ino_t inode, fuse_ino_t new_parent,
          const char* new_name) {
  const auto linked = context.filesystem.link(inode, new_parent, new_name);
  reply_entry(std::move(reply), linked);
}

void unlink(Reply reply, Context& context, fuse_ino_t parent, const char* name) {
  reply.status(context.filesystem.unlink(parent, name));
}

void remove_directory(Reply reply, Context& context, fuse_ino_t parent, const char* name) {
  reply.status(context.filesystem.remove_directory(parent, name));
}

void rename(Reply reply, Context& context, fuse_ino_t old_parent, const char* old_name,
            fuse_ino_t new_parent, const char* new_name, unsigned flags) {
  constexpr unsigned kKnownFlags = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
  if ((flags & ~kKnownFlags) != 0) return reply.error(Code::invalid);
  std::optional<fs::Caller> whiteout_owner;
  if ((flags & RENAME_WHITEOUT) != 0) whiteout_owner = reply.caller();
  reply.status(context.filesystem.rename({.old_parent = old_parent,
                                          .old_name = old_name,
                                          .new_parent = new_parent,
                                          .new_name = new_name,
                                          .no_replace = (flags & RENAME_NOREPLACE) != 0,
                                          .exchange = (flags & RENAME_EXCHANGE) != 0,
                                          .whiteout_owner = whiteout_owner}));
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& table) {
  table.lookup = callback<lookup>;
  table.forget = callback<forget>;
  table.forget_multi = callback<forget_multi>;
  table.mknod = callback<make_node>;
  table.mkdir = callback<make_directory>;
  table.symlink = callback<make_symlink>;
  table.readlink = callback<read_symlink>;
  table.link = callback<link>;
  table.unlink = callback<unlink>;
  table.rmdir = callback<remove_directory>;
  table.rename = callback<rename>;
}

}  // namespace weightfs::mount
