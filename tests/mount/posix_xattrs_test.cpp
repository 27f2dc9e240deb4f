// Extended attributes and ACLs: whose they are, and their limits.
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "posix_test_base.h"

namespace weightfs::mount {
namespace {

class PosixXattrs : public PosixTest {
 protected:
  std::string make_owned_file() {
    std::string path = make_file("file");
    EXPECT_EQ(::chown(path.c_str(), kOwner.uid, kOwner.gid), 0);
    return path;
  }
};

TEST_F(PosixXattrs, TrustedAttributesAreRootsAlone) {
  const std::string path = make_owned_file();
  ASSERT_EQ(::setxattr(path.c_str(), "trusted.a", "1", 1, 0), 0);
  ASSERT_EQ(::setxattr(path.c_str(), "user.b", "1", 1, 0), 0);
  const auto list = [&](std::string& names) {
    names.resize(1000);
    const ssize_t size = ::listxattr(path.c_str(), names.data(), names.size());
    names.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return names;
  };
  std::string names;
  EXPECT_NE(list(names).find("trusted.a"), std::string::npos);
  EXPECT_EQ(as(kOwner, [&] { return list(names) == std::string("user.b\0", 7) ? 0 : 1; }), 0);
  EXPECT_EQ(as(kOwner, [&] { return error_of(::getxattr(path.c_str(), "trusted.a", nullptr, 0)); }),
            ENODATA);
  EXPECT_EQ(as(kOwner, [&] { return error_of(::setxattr(path.c_str(), "trusted.c", "1", 1, 0)); }),
            EPERM);
}

TEST_F(PosixXattrs, AnAclByANonMemberOfTheGroupDropsSetgid) {
  const std::string path = make_file("file");
  // user::rwx, user:1:rwx, group::r-x, mask::rwx, other::r-x; see AnAclChangesTheMode...
  const std::string acl(
      "\2\0\0\0\1\0\7\0\xff\xff\xff\xff\2\0\7\0\1\0\0\0\4\0\5\0\xff\xff\xff\xff"
      "\x10\0\7\0\xff\xff\xff\xff\x20\0\5\0\xff\xff\xff\xff",
      44);
  const auto set_acl = [&] {
    return error_of(::setxattr(path.c_str(), "system.posix_acl_access", acl.data(), acl.size(), 0));
  };
  const User member{.uid = kOwner.uid, .gid = kOwner.gid, .groups = {4444}};
  ASSERT_EQ(::chown(path.c_str(), kOwner.uid, 4444), 0);
  for (const auto& [user, mode] : {std::pair(member, 02775U), std::pair(kOwner, 0775U)}) {
    ASSERT_EQ(::chmod(path.c_str(), 02755), 0);
    EXPECT_EQ(as(user, set_acl), 0);
    EXPECT_EQ(must_stat(path).st_mode & 07777U, mode);
  }
}

TEST_F(PosixXattrs, AttributesHaveLimitsAndNamespaces) {
  const std::string path = make_file("file");
  const auto set = [](const std::string& target, const std::string& name, std::size_t size) {
    const std::string value(size, 'x');
    return error_of(::lsetxattr(target.c_str(), name.c_str(), value.data(), value.size(), 0));
  };
  EXPECT_EQ(set(path, "user.", 1), EINVAL);
  EXPECT_EQ(set(path, "trusted.", 1), EINVAL);
  EXPECT_EQ(set(path, "nonsense.a", 1), EOPNOTSUPP);
  EXPECT_EQ(set(path, "user." + std::string(250, 'n'), 1), 0);
  EXPECT_EQ(set(path, "user." + std::string(251, 'n'), 1), ERANGE);
  EXPECT_EQ(set(path, "user.big", 65537), E2BIG);
  EXPECT_EQ(set(path, "user.empty", 0), 0);
  EXPECT_EQ(::getxattr(path.c_str(), "user.empty", nullptr, 0), 0);
  EXPECT_EQ(set(make(FileType::symlink, "link"), "user.a", 1), EPERM);
  EXPECT_EQ(set(make(FileType::fifo, "fifo"), "user.a", 1), EPERM);
  EXPECT_EQ(set(at("link"), "trusted.a", 1), 0);
  EXPECT_EQ(error_of(::removexattr(path.c_str(), "user.missing")), ENODATA);
  EXPECT_EQ(error_of(::removexattr(path.c_str(), "system.posix_acl_access")), 0);
  EXPECT_EQ(error_of(::getxattr(path.c_str(), "system.nonsense", nullptr, 0)), EOPNOTSUPP);
}

}  // namespace
}  // namespace weightfs::mount
