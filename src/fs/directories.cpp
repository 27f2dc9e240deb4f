// Directories: listing them in the order of their cookies.
#include <fcntl.h>

#include "impl.h"

namespace weightfs::fs {
namespace {

// "." and ".." come first, under cookies that no entry has; entries' own begin behind them.
constexpr std::uint64_t kBehindDot = 1;
constexpr std::uint64_t kBehindDotDot = 2;

std::uint64_t cookie_behind(std::uint64_t entry_cookie) {
  return entry_cookie + kBehindDotDot;
}

}  // namespace

Result<Handle> Filesystem::open_directory(InodeNumber inode, int flags) {
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  if (!node->is_directory()) return fail(Code::not_directory, "not a directory");
  impl_->nodes->add_handle(*node, /*writer=*/false);
  return impl_->handles.add({.node = node,
                             .readable = true,
                             .writable = false,
                             .append = false,
                             .keeps_atime = (flags & O_NOATIME) != 0,
                             .listing_end = std::make_shared<ListingEnd>(0)});
}

Result<std::vector<DirectoryEntry>> Filesystem::read_directory(Handle handle, std::uint64_t cookie,
                                                               std::size_t limit) {
  WEIGHTFS_ASSIGN(const auto file, impl_->handles.get(handle));
  if (!file->listing_end) return fail(Code::not_directory, "not a directory");
  const NodePointer& node = file->node;
  const std::shared_lock names(impl_->names_mutex);
  std::vector<DirectoryEntry> entries;
  InodeNumber parent = 0;
  {
    const std::shared_lock guard(node->mutex);
    if (node->removed || node->record.link_count == 0) return entries;
    parent = node->record.parent;
    const bool begins = cookie == 0 || *file->listing_end == 0;
    if (begins) *file->listing_end = node->record.next_cookie;
  }
  if (cookie == 0 && !file->keeps_atime) impl_->touch_atime(node);
  if (cookie == 0 && entries.size() < limit) {
    entries.push_back(
        {.name = ".", .inode = node->inode, .type_mode = S_IFDIR, .next_cookie = kBehindDot});
  }
  if (cookie <= kBehindDot && entries.size() < limit) {
    entries.push_back(
        {.name = "..", .inode = parent, .type_mode = S_IFDIR, .next_cookie = kBehindDotDot});
  }
  if (entries.size() == limit) return entries;
  // An entry's next_cookie is its own plus two, so going on means: entries of a greater cookie.
  const std::uint64_t from = cookie <= kBehindDotDot ? 0 : cookie - kBehindDotDot + 1;
  WEIGHTFS_ASSIGN(std::vector<tree::ListedEntry> listed,
                  impl_->tree->list(node->inode, from, limit - entries.size()));
  for (tree::ListedEntry& found : listed) {
    if (found.cookie >= *file->listing_end) break;
    entries.push_back({.name = std::move(found.entry.name),
                       .inode = found.entry.inode,
                       .type_mode = found.entry.type_mode,
                       .next_cookie = cookie_behind(found.cookie)});
  }
  return entries;
}

}  // namespace weightfs::fs
