// Attributes, extended attributes and permissions through the kernel. Some need root, as CI is.
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

class AttributesOfFiles : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (HasFatalFailure()) return;
    write_file(path("f"), "content");
  }
  unsigned mode_of(std::string_view name) { return must_stat(path(name)).st_mode & 07777U; }
  int chmod(std::string_view name, unsigned mode) {
    return error_of(::chmod(path(name).c_str(), mode));
  }
  int set_xattr(std::string_view name, const char* key, std::string_view value, int flags = 0) {
    return error_of(::setxattr(path(name).c_str(), key, value.data(), value.size(), flags));
  }
  std::string xattr(std::string_view name, const char* key) {
    char value[65536];
    const ssize_t size = ::getxattr(path(name).c_str(), key, value, sizeof value);
    return size < 0 ? "errno " + std::to_string(errno)
                    : std::string(value, static_cast<std::size_t>(size));
  }
};

TEST_F(AttributesOfFiles, ChmodAndChownLast) {
  ASSERT_EQ(::chown(path("f").c_str(), 1234, 5678), 0);
  EXPECT_EQ(chmod("f", 04751), 0);
  remount();
  EXPECT_EQ(mode_of("f"), 04751U);
  EXPECT_EQ(must_stat(path("f")).st_uid, 1234U);
  EXPECT_EQ(must_stat(path("f")).st_gid, 5678U);
}

TEST_F(AttributesOfFiles, WritingAsAnotherUserClearsSetuid) {
  ASSERT_EQ(::chmod(mount_point().c_str(), 0777), 0);
  ASSERT_EQ(chmod("f", 06777), 0);
  unmount();
  mount("allow_other");
  const ProgramResult result =
      run_program({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c",
                   "echo more >> " + path("f")});
  ASSERT_EQ(result.exit_status, 0) << result.output;
  EXPECT_EQ(mode_of("f"), 0777U);
}

TEST_F(AttributesOfFiles, PermissionsAreChecked) {
  ASSERT_EQ(::chmod(mount_point().c_str(), 0755), 0);
  ASSERT_EQ(chmod("f", 0600), 0);
  const ProgramResult result = run_program(
      {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", path("f")});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.output.find("Permission denied"), std::string::npos) << result.output;
}

TEST_F(AttributesOfFiles, AMountOfRootIsForOthersUnlessAnOptionSaysOtherwise) {
  ASSERT_EQ(::chmod(mount_point().c_str(), 0755), 0);
  ASSERT_EQ(chmod("f", 0644), 0);
  const std::vector<std::string> read_as_other = {
      "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", path("f")};
  EXPECT_EQ(run_program(read_as_other).exit_status, 0);
  unmount();
  mount("noallow_other");
  EXPECT_EQ(run_program(read_as_other).exit_status, 1);
}

TEST_F(AttributesOfFiles, ASetgidDirectoryHandsDownItsGroup) {
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
  ASSERT_EQ(::chown(path("dir").c_str(), 0, 4321), 0);
  ASSERT_EQ(chmod("dir", 02775), 0);
  write_file(path("dir/file"), "");
  ASSERT_EQ(::mkdir(path("dir/sub").c_str(), 0755), 0);
  EXPECT_EQ(must_stat(path("dir/file")).st_gid, 4321U);
  EXPECT_EQ(must_stat(path("dir/sub")).st_gid, 4321U);
  EXPECT_EQ(mode_of("dir/sub") & S_ISGID, static_cast<unsigned>(S_ISGID));
}

TEST_F(AttributesOfFiles, UmaskApplies) {
  const mode_t before = ::umask(027);
  const UniqueFd fd = must_open(path("masked"), O_CREAT | O_WRONLY, 0666);
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0777), 0);
  ::umask(before);
  EXPECT_EQ(mode_of("masked"), 0640U);
  EXPECT_EQ(mode_of("dir"), 0750U);
}

TEST_F(AttributesOfFiles, TimesKeepTheirNanoseconds) {
  const timespec times[2] = {{.tv_sec = -5, .tv_nsec = 1},
                             {.tv_sec = 1L << 33, .tv_nsec = 999'999'999}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path("f").c_str(), times, 0), 0);
  remount();
  const struct stat status = must_stat(path("f"));
  EXPECT_EQ(status.st_atim.tv_sec, -5);
  EXPECT_EQ(status.st_atim.tv_nsec, 1);
  EXPECT_EQ(status.st_mtim.tv_sec, 1L << 33);
  EXPECT_EQ(status.st_mtim.tv_nsec, 999'999'999);
}

TEST_F(AttributesOfFiles, WritingMovesTheTimes) {
  const timespec times[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path("f").c_str(), times, 0), 0);
  const struct stat before = must_stat(path("f"));
  const UniqueFd fd = must_open(path("f"), O_WRONLY);
  ASSERT_EQ(::pwrite(fd.get(), "C", 1, 0), 1);
  const struct stat after = must_stat(path("f"));
  EXPECT_GT(after.st_mtim.tv_sec, 1'000'000);
  EXPECT_GE(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
  seal();
  EXPECT_EQ(must_stat(path("f")).st_mtim.tv_sec, after.st_mtim.tv_sec);
}

TEST_F(AttributesOfFiles, WithStrictatimeEveryOpeningAndReadingMovesTheAccessTime) {
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
  write_file(path("large"), noise(std::size_t{3} << 20, 1));
  seal();
  unmount();
  mount("strictatime");
  for (int round = 0; round < 3; ++round) {
    for (const char* name : {"f", "large", "dir"}) {
      const struct stat before = must_stat(path(name));
      ::usleep(20'000);  // clocks of file systems move on
      if (S_ISDIR(before.st_mode)) {
        EXPECT_EQ(std::filesystem::is_empty(path(name)), true);
      } else {
        EXPECT_FALSE(read_file(path(name)).empty());
      }
      const struct stat after = must_stat(path(name));
      EXPECT_LT(std::pair(before.st_atim.tv_sec, before.st_atim.tv_nsec),
                std::pair(after.st_atim.tv_sec, after.st_atim.tv_nsec))
          << name << ", round " << round;
    }
  }
}

TEST_F(AttributesOfFiles, DuShowsStoredBytes) {
  write_file(path("zeros"), std::string(std::size_t{8} << 20, '\0'));
  write_file(path("noise"), noise(std::size_t{8} << 20, 1));
  seal();
  ::usleep(1'100'000);  // the kernel keeps the attributes of a file that waits for its seal for 1 s
  EXPECT_LT(must_stat(path("zeros")).st_blocks * 512, 1 << 20);
  EXPECT_GT(must_stat(path("noise")).st_blocks * 512, 7 << 20);
}

TEST_F(AttributesOfFiles, StatfsTellsOfTheDiskUnderTheStore) {
  struct statvfs mounted {};
  struct statvfs disk {};
  ASSERT_EQ(::statvfs(mount_point().c_str(), &mounted), 0);
  ASSERT_EQ(::statvfs(store().c_str(), &disk), 0);
  EXPECT_EQ(mounted.f_namemax, 255U);
  EXPECT_EQ(mounted.f_blocks * mounted.f_frsize, disk.f_blocks * disk.f_frsize);
}

TEST_F(AttributesOfFiles, XattrsLastInEveryNamespace) {
  const std::string big(60'000, 'x');
  EXPECT_EQ(set_xattr("f", "user.a", "1"), 0);
  EXPECT_EQ(set_xattr("f", "user.big", big), 0);
  EXPECT_EQ(set_xattr("f", "trusted.b", "2"), 0);
  EXPECT_EQ(set_xattr("f", "security.c", "3"), 0);
  remount();
  EXPECT_EQ(xattr("f", "user.a"), "1");
  EXPECT_EQ(xattr("f", "user.big"), big);
  EXPECT_EQ(xattr("f", "trusted.b"), "2");
  EXPECT_EQ(xattr("f", "security.c"), "3");
}

TEST_F(AttributesOfFiles, XattrFlagsAreKept) {
  EXPECT_EQ(set_xattr("f", "user.a", "1", XATTR_REPLACE), ENODATA);
  EXPECT_EQ(set_xattr("f", "user.a", "1", XATTR_CREATE), 0);
  EXPECT_EQ(set_xattr("f", "user.a", "1", XATTR_CREATE), EEXIST);
  EXPECT_EQ(error_of(::removexattr(path("f").c_str(), "user.a")), 0);
  EXPECT_EQ(error_of(::removexattr(path("f").c_str(), "user.a")), ENODATA);
}

TEST_F(AttributesOfFiles, XattrListsSayHowMuchRoomTheyNeed) {
  ASSERT_EQ(set_xattr("f", "user.name", "value"), 0);
  EXPECT_EQ(::getxattr(path("f").c_str(), "user.name", nullptr, 0), 5);
  char small[2];
  EXPECT_EQ(error_of(::getxattr(path("f").c_str(), "user.name", small, sizeof small)), ERANGE);
  EXPECT_EQ(error_of(::listxattr(path("f").c_str(), small, sizeof small)), ERANGE);
  char list[4096];
  const ssize_t size = ::listxattr(path("f").c_str(), list, sizeof list);
  ASSERT_GT(size, 0);
  const std::string names(list, static_cast<std::size_t>(size));
  EXPECT_NE(names.find(std::string("user.name\0", 10)), std::string::npos);
}

TEST_F(AttributesOfFiles, AnAclChangesTheModeAndIsInherited) {
  // POSIX_ACL_XATTR_VERSION, then tag, permissions, id: user::rwx, user:1234:rwx, group::r-x,
  // mask::rwx, other::---
  const std::string acl(
      "\2\0\0\0\1\0\7\0\xff\xff\xff\xff\2\0\7\0\xd2\4\0\0\4\0\5\0\xff\xff\xff\xff"
      "\x10\0\7\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff",
      44);
  ASSERT_EQ(set_xattr("f", "system.posix_acl_access", acl), 0);
  EXPECT_EQ(mode_of("f"), 0770U);
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
  ASSERT_EQ(set_xattr("dir", "system.posix_acl_default", acl), 0);
  const UniqueFd fd = must_open(path("dir/file"), O_CREAT | O_WRONLY, 0666);
  EXPECT_EQ(mode_of("dir/file"), 0660U);
  EXPECT_EQ(xattr("dir/file", "system.posix_acl_access").size(), acl.size());
}

}  // namespace
}  // namespace weightfs::mount
