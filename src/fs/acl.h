// POSIX ACLs as xattrs (acl(5); the kernel's linux/posix_acl_xattr.h): what a file system has to do
// besides storing them, since the kernel only checks them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weightfs/fs/types.h"
#include "weightfs/tree/tree.h"

namespace weightfs::fs::acl {

constexpr std::string_view kAccessName = "system.posix_acl_access";
constexpr std::string_view kDefaultName = "system.posix_acl_default";

// After chmod: the access ACL's owner, mask (or group) and other entries take the new bits.
Status follow_mode(const tree::Tree& tree, tree::Change& change, InodeNumber inode,
                   std::uint32_t mode);

// What setting an access ACL does to the permission bits; `needed` is false where the bits say all.
struct ModeFromAcl {
  std::uint32_t mode = 0;
  bool needed = true;
};
// Code::invalid where `value` is no ACL.
Result<ModeFromAcl> mode_from_acl(std::string_view value, std::uint32_t mode);
Status check(std::string_view value);

// What a new inode gets from its directory's default ACL.
struct Inherited {
  std::uint32_t mode = 0;
  std::string access;  // empty: the mode says all
};
Result<Inherited> inherit(std::string_view default_acl, std::uint32_t mode);

}  // namespace weightfs::fs::acl
