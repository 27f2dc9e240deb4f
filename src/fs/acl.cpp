#include "acl.h"

#include <sys/stat.h>

#include <vector>

#include "impl.h"
#include "weightfs/base/bytes.h"

namespace weightfs::fs {
namespace acl {
namespace {

constexpr std::uint32_t kVersion = 2;
constexpr std::uint16_t kUserObject = 0x01;
constexpr std::uint16_t kUser = 0x02;
constexpr std::uint16_t kGroupObject = 0x04;
constexpr std::uint16_t kGroup = 0x08;
constexpr std::uint16_t kMask = 0x10;
constexpr std::uint16_t kOther = 0x20;
constexpr std::uint16_t kAllBits = 7;

struct Entry {
  std::uint16_t tag = 0;
  std::uint16_t permissions = 0;
  std::uint32_t id = 0;
};

struct Acl {
  std::vector<Entry> entries;

  Entry* find(std::uint16_t tag) {
    for (Entry& entry : entries) {
      if (entry.tag == tag) return &entry;
    }
    return nullptr;
  }
  // The entry that the group bits of a mode stand for.
  Entry* group_class() {
    Entry* mask = find(kMask);
    return mask != nullptr ? mask : find(kGroupObject);
  }
  bool equals_mode() const { return entries.size() == 3; }
};

bool is_tag(std::uint16_t tag) {
  switch (tag) {
    case kUserObject:
    case kUser:
    case kGroupObject:
    case kGroup:
    case kMask:
    case kOther:
      return true;
    default:
      return false;
  }
}

Result<Acl> parse(std::string_view value) {
  ByteReader in(bytes_of(value));
  if (in.u32() != kVersion) return fail(Code::unsupported, "an ACL of an unknown version");
  Acl acl;
  while (!in.at_end() && !in.failed()) {
    Entry entry;
    entry.tag = in.u16();
    entry.permissions = in.u16();
    entry.id = in.u32();
    if (!is_tag(entry.tag) || entry.permissions > kAllBits) {
      return fail(Code::invalid, "an ACL entry is not valid");
    }
    acl.entries.push_back(entry);
  }
  const bool complete = acl.find(kUserObject) && acl.find(kGroupObject) && acl.find(kOther);
  if (in.failed() || (!complete && !acl.entries.empty())) {
    return fail(Code::invalid, "an ACL lacks an entry");
  }
  return acl;
}

std::string serialize(const Acl& acl) {
  ByteWriter out;
  out.u32(kVersion);
  for (const Entry& entry : acl.entries) {
    out.u16(entry.tag);
    out.u16(entry.permissions);
    out.u32(entry.id);
  }
  return std::string(text_of(out.view()));
}

std::uint16_t bits_of(std::uint32_t mode, unsigned shift) {
  return static_cast<std::uint16_t>((mode >> shift) & kAllBits);
}

void set_bits(std::uint32_t& mode, unsigned shift, std::uint16_t bits) {
  mode = (mode & ~(std::uint32_t{kAllBits} << shift)) | (std::uint32_t{bits} << shift);
}

}  // namespace

Status check(std::string_view value) {
  WEIGHTFS_TRY(parse(value));
  return {};
}

Status follow_mode(const tree::Tree& tree, tree::Change& change, InodeNumber inode,
                   std::uint32_t mode) {
  WEIGHTFS_ASSIGN(const std::optional<std::string> value, tree.xattr(inode, kAccessName));
  if (!value) return {};
  WEIGHTFS_ASSIGN(Acl acl, parse(*value));
  if (acl.entries.empty()) return {};
  acl.find(kUserObject)->permissions = bits_of(mode, 6);
  acl.group_class()->permissions = bits_of(mode, 3);
  acl.find(kOther)->permissions = bits_of(mode, 0);
  change.put_xattr(inode, kAccessName, serialize(acl));
  return {};
}

Result<ModeFromAcl> mode_from_acl(std::string_view value, std::uint32_t mode) {
  WEIGHTFS_ASSIGN(Acl acl, parse(value));
  if (acl.entries.empty()) return ModeFromAcl{.mode = mode, .needed = false};
  set_bits(mode, 6, acl.find(kUserObject)->permissions);
  set_bits(mode, 3, acl.group_class()->permissions);
  set_bits(mode, 0, acl.find(kOther)->permissions);
  return ModeFromAcl{.mode = mode, .needed = !acl.equals_mode()};
}

// As posix_acl_create() of the kernel: each class gets what both the mode and the ACL allow.
Result<Inherited> inherit(std::string_view default_acl, std::uint32_t mode) {
  WEIGHTFS_ASSIGN(Acl acl, parse(default_acl));
  if (acl.entries.empty()) return Inherited{.mode = mode, .access = {}};
  const auto meet = [&mode](Entry& entry, unsigned shift) {
    entry.permissions = static_cast<std::uint16_t>(entry.permissions & bits_of(mode, shift));
    set_bits(mode, shift, entry.permissions);
  };
  meet(*acl.find(kUserObject), 6);
  meet(*acl.group_class(), 3);
  meet(*acl.find(kOther), 0);
  return Inherited{.mode = mode, .access = acl.equals_mode() ? std::string() : serialize(acl)};
}

}  // namespace acl

Status Filesystem::Impl::inherit_acl(tree::Change& change, InodeNumber parent, InodeNumber child,
                                     std::uint32_t& mode, std::uint32_t umask) {
  if ((mode & S_IFMT) == S_IFLNK) return {};
  WEIGHTFS_ASSIGN(const std::optional<std::string> value, tree->xattr(parent, acl::kDefaultName));
  if (!value) {
    mode &= ~(umask & 0777);
    return {};
  }
  WEIGHTFS_ASSIGN(const acl::Inherited inherited, acl::inherit(*value, mode));
  mode = inherited.mode;
  if (!inherited.access.empty()) change.put_xattr(child, acl::kAccessName, inherited.access);
  if ((mode & S_IFMT) == S_IFDIR) change.put_xattr(child, acl::kDefaultName, *value);
  return {};
}

}  // namespace weightfs::fs
