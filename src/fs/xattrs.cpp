// Extended attributes, POSIX ACLs among them.
#include <sys/stat.h>

#include "acl.h"
#include "impl.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kLargestValueBytes = 65536;  // XATTR_SIZE_MAX
constexpr std::size_t kLongestNameBytes = 255;     // XATTR_NAME_MAX

Status check_xattr_name(std::string_view name) {
  if (name.size() > kLongestNameBytes) return fail(Code::result_range, "the name is too long");
  if (name == acl::kAccessName || name == acl::kDefaultName) return {};
  for (const std::string_view kind : {"user.", "trusted.", "security."}) {
    if (!name.starts_with(kind)) continue;
    if (name == kind) return fail(Code::invalid, "an attribute needs a name");
    return {};
  }
  return fail(Code::unsupported, "no such kind of attribute");
}

}  // namespace

Result<std::string> Filesystem::get_xattr(InodeNumber inode, std::string_view name) {
  WEIGHTFS_TRY(check_xattr_name(name));
  WEIGHTFS_ASSIGN(std::optional<std::string> value, impl_->tree->xattr(inode, name));
  if (!value) return fail(Code::no_attribute, "no such attribute");
  return std::move(*value);
}

Status Filesystem::set_xattr(InodeNumber inode, std::string_view name, ByteSpan value,
                             XattrMode mode, bool drops_setgid) {
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  if (impl_->disk_full) return fail(Code::no_space, "the store's disk is full");
  WEIGHTFS_TRY(check_xattr_name(name));
  if (value.size() > kLargestValueBytes) return fail(Code::result_range, "the value is too long");
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  const std::unique_lock guard(node->mutex);
  if (node->removed) return fail(Code::not_found, "no such inode");
  WEIGHTFS_ASSIGN(const auto existing, impl_->tree->xattr(inode, name));
  if (mode == XattrMode::create && existing) return fail(Code::exists, "the attribute exists");
  if (mode == XattrMode::replace && !existing) return fail(Code::no_attribute, "no such attribute");
  tree::Change change(*impl_->tree);
  bool keep = true;
  if (name == acl::kAccessName) {
    WEIGHTFS_ASSIGN(const acl::ModeFromAcl says,
                    acl::mode_from_acl(text_of(value), node->record.mode));
    node->record.mode = drops_setgid ? says.mode & ~static_cast<unsigned>(S_ISGID) : says.mode;
    keep = says.needed;
  }
  if (name == acl::kDefaultName) {
    if (!node->is_directory())
      return fail(Code::access_denied, "only directories have default ACLs");
    WEIGHTFS_TRY(acl::check(text_of(value)));
  }
  if (keep) change.put_xattr(inode, name, std::string(text_of(value)));
  if (!keep && existing) change.erase_xattr(inode, name);
  node->record.ctime = current_time();
  impl_->put_record(change, *node);
  impl_->tree->apply(std::move(change));
  return {};
}

Result<std::vector<std::string>> Filesystem::list_xattrs(InodeNumber inode) {
  return impl_->tree->xattr_names(inode);
}

Status Filesystem::remove_xattr(InodeNumber inode, std::string_view name) {
  if (impl_->options.read_only) return fail(Code::read_only, "mounted read-only");
  WEIGHTFS_TRY(check_xattr_name(name));
  WEIGHTFS_ASSIGN(const NodePointer node, impl_->nodes->get(inode));
  const std::unique_lock guard(node->mutex);
  WEIGHTFS_ASSIGN(const auto existing, impl_->tree->xattr(inode, name));
  const bool is_acl = name == acl::kAccessName || name == acl::kDefaultName;
  if (!existing && is_acl) return {};  // as every file system of the kernel does
  if (!existing) return fail(Code::no_attribute, "no such attribute");
  tree::Change change(*impl_->tree);
  change.erase_xattr(inode, name);
  node->record.ctime = current_time();
  impl_->put_record(change, *node);
  impl_->tree->apply(std::move(change));
  return {};
}

}  // namespace weightfs::fs
