// Owners, modes and who may do what: chmod, chown, umask, setuid, setgid and sticky bits, as root
// and as other users.
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "posix_test_base.h"

namespace weightfs::mount {
namespace {

constexpr uid_t kNoUid = static_cast<uid_t>(-1);
constexpr gid_t kNoGid = static_cast<gid_t>(-1);

class PosixOwners : public PosixTest {
 protected:
  static unsigned mode_of(const std::string& path) { return must_stat(path).st_mode & 07777U; }
  static int chmod_as(const User& user, const std::string& path, mode_t mode) {
    return as(user, [&] { return error_of(::chmod(path.c_str(), mode)); });
  }
  static int chown_as(const User& user, const std::string& path, uid_t uid, gid_t gid) {
    return as(user, [&] { return error_of(::lchown(path.c_str(), uid, gid)); });
  }
  static void expect_owner(const std::string& path, uid_t uid, gid_t gid) {
    EXPECT_EQ(must_stat(path).st_uid, uid) << path;
    EXPECT_EQ(must_stat(path).st_gid, gid) << path;
  }
  std::string make_owned(FileType type, std::string_view name, const User& user) {
    std::string path = make(type, name);
    EXPECT_EQ(::lchown(path.c_str(), user.uid, user.gid), 0);
    return path;
  }
};

TEST_F(PosixOwners, ChmodSetsEveryBitOfEveryType) {
  for (const FileType type : kFileTypes) {
    if (type == FileType::symlink) continue;  // it has no mode of its own
    const std::string path = make(type, name_of(type));
    for (const mode_t mode : {0111U, 0U, 0644U, 01777U, 02755U, 04711U, 07777U}) {
      EXPECT_EQ(::chmod(path.c_str(), mode), 0);
      EXPECT_EQ(mode_of(path), mode) << name_of(type);
    }
  }
}

TEST_F(PosixOwners, ChmodIsTheOwnersAndRoots) {
  for (const FileType type : kFileTypes) {
    if (type == FileType::symlink) continue;
    const std::string path = make_owned(type, name_of(type), kOwner);
    EXPECT_EQ(chmod_as(kOwner, path, 0642), 0);
    EXPECT_EQ(chmod_as(kStranger, path, 0600), EPERM);
    EXPECT_EQ(mode_of(path), 0642U);
  }
}

TEST_F(PosixOwners, ChmodByANonMemberOfTheGroupDropsSetgid) {
  const std::string path = make_file("file");
  ASSERT_EQ(::chown(path.c_str(), kOwner.uid, kStranger.gid), 0);
  EXPECT_EQ(chmod_as(kOwner, path, 02755), 0);
  EXPECT_EQ(mode_of(path), 0755U);
  ASSERT_EQ(::chown(path.c_str(), kOwner.uid, kOwner.gid), 0);
  EXPECT_EQ(chmod_as(kOwner, path, 02755), 0);
  EXPECT_EQ(mode_of(path), 02755U);
}

TEST_F(PosixOwners, ChownIsRootsAndOfTheGroupAMembers) {
  for (const FileType type : kFileTypes) {
    const std::string path = make_owned(type, name_of(type), kOwner);
    const User member{.uid = kOwner.uid, .gid = 65530, .groups = {65530, 65529}};
    EXPECT_EQ(chown_as(member, path, kNoUid, 65529), 0);
    expect_owner(path, kOwner.uid, 65529);
    EXPECT_EQ(chown_as(member, path, kOwner.uid, 65530), 0);
    expect_owner(path, kOwner.uid, 65530);
    EXPECT_EQ(chown_as(member, path, kNoUid, 12345), EPERM);
    EXPECT_EQ(chown_as(member, path, 12345, kNoGid), EPERM);
    EXPECT_EQ(chown_as(kStranger, path, kNoUid, kStranger.gid), EPERM);
    EXPECT_EQ(chown_as(kStranger, path, kNoUid, kNoGid), 0);
    expect_owner(path, kOwner.uid, 65530);
  }
}

TEST_F(PosixOwners, ChownClearsSetuidAndSetgidOfProgramsOnly) {
  const std::string path = make_owned(FileType::regular, "file", kOwner);
  const User member{.uid = kOwner.uid, .gid = 65533, .groups = {65533, 65529}};
  for (const gid_t group : {gid_t{65529}, gid_t{65533}}) {
    ASSERT_EQ(::chmod(path.c_str(), 06555), 0);
    EXPECT_EQ(chown_as(member, path, kNoUid, group), 0);
    EXPECT_EQ(mode_of(path), 0555U);
  }
  ASSERT_EQ(::chmod(path.c_str(), 06555), 0);
  EXPECT_EQ(::chown(path.c_str(), 1, 1), 0);
  EXPECT_EQ(mode_of(path), 0555U);
  // Setgid without execution by the group is what mandatory locking was; it stays.
  ASSERT_EQ(::chmod(path.c_str(), 02645), 0);
  EXPECT_EQ(::chown(path.c_str(), 2, 2), 0);
  EXPECT_EQ(mode_of(path), 02645U);
  const std::string directory = make_directory("directory", 06755);
  EXPECT_EQ(::chown(directory.c_str(), 1, 1), 0);
  EXPECT_EQ(mode_of(directory), 06755U);
}

// Everything that changes the content of an open file, by its name.
using ContentChange = std::pair<const char*, std::function<int(int fd)>>;
const std::vector<ContentChange>& content_changes() {
  static const std::vector<ContentChange> changes = {
      {"write", [](int fd) { return error_of(::write(fd, "x", 1)); }},
      {"ftruncate to less", [](int fd) { return error_of(::ftruncate(fd, 1)); }},
      {"ftruncate to more", [](int fd) { return error_of(::ftruncate(fd, 100'000)); }},
      {"fallocate", [](int fd) { return error_of(::fallocate(fd, 0, 0, 9000)); }},
      {"punch",
       [](int fd) {
         return error_of(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2));
       }},
      {"zero", [](int fd) { return error_of(::fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 2)); }},
      {"copy_file_range",
       [](int fd) {
         const UniqueFd source(
             ::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC));
         off64_t from = 0;
         off64_t to = 4;
         return source ? error_of(::copy_file_range(source.get(), &from, fd, &to, 2, 0)) : errno;
       }},
  };
  return changes;
}

// The mode of a file of kOwner's that had `mode` and was changed by `user`.
std::uint32_t mode_after_change(const std::string& path, mode_t mode, const User& user,
                                const ContentChange& change) {
  EXPECT_EQ(::chown(path.c_str(), kOwner.uid, kOwner.gid), 0);
  EXPECT_EQ(::chmod(path.c_str(), mode), 0);
  const int outcome = as(user, [&] {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    return fd ? change.second(fd.get()) : errno;
  });
  EXPECT_EQ(outcome, 0) << change.first;
  // Nothing but the mode is asked for, which the kernel may have kept.
  struct statx status {};
  EXPECT_EQ(::statx(AT_FDCWD, path.c_str(), 0, STATX_MODE, &status), 0);
  return status.stx_mode & 07777U;
}

TEST_F(PosixOwners, EveryKindOfWriteByAStrangerClearsSetuidAndSetgid) {
  const std::string path = make_file("file", "content");
  for (const ContentChange& change : content_changes()) {
    for (const mode_t mode : {06777U, 06666U, 06766U, 02777U, 02666U}) {
      EXPECT_EQ(mode_after_change(path, mode, kStranger, change), mode & 0777U)
          << change.first << " of " << std::oct << mode;
    }
  }
}

TEST_F(PosixOwners, AWriteByAMemberOfTheGroupLeavesSetgidWhereItMakesNoProgram) {
  const std::string path = make_file("file", "content");
  const User member{.uid = kStranger.uid, .gid = kStranger.gid, .groups = {1, kOwner.gid}};
  for (const ContentChange& change : content_changes()) {
    EXPECT_EQ(mode_after_change(path, 02666, member, change), 02666U) << change.first;
    EXPECT_EQ(mode_after_change(path, 06666, member, change), 02666U) << change.first;
    EXPECT_EQ(mode_after_change(path, 02676, member, change), 0676U) << change.first;
  }
}

TEST_F(PosixOwners, NewFilesHaveTheUmaskAndTheCallersIds) {
  const std::string parent = make_directory("parent", 0777);
  const std::string path = parent + "/new";
  for (const mode_t mask : {0U, 077U, 070U, 0501U}) {
    EXPECT_EQ(as(kStranger,
                 [&] {
                   ::umask(mask);
                   const UniqueFd fd(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0345));
                   return fd ? 0 : errno;
                 }),
              0);
    EXPECT_EQ(mode_of(path), 0345U & ~mask);
    expect_owner(path, kStranger.uid, kStranger.gid);
    remove(path);
    EXPECT_EQ(as(kStranger,
                 [&] {
                   ::umask(mask);
                   return error_of(::mkdir(path.c_str(), 0765));
                 }),
              0);
    EXPECT_EQ(mode_of(path), 0765U & ~mask);
    remove(path);
  }
}

TEST_F(PosixOwners, ASetgidDirectoryHandsItsGroupDown) {
  const std::string parent = make_directory("parent");
  ASSERT_EQ(::chown(parent.c_str(), 0, kOwner.gid), 0);
  ASSERT_EQ(::chmod(parent.c_str(), 02777), 0);
  const auto make_inside = [&](FileType type) {
    return as(kStranger, [&] {
      make(type, std::string("parent/") + name_of(type));
      return 0;
    });
  };
  for (const FileType type : {FileType::regular, FileType::directory, FileType::fifo,
                              FileType::socket, FileType::symlink}) {
    EXPECT_EQ(make_inside(type), 0);
    expect_owner(parent + "/" + name_of(type), kStranger.uid, kOwner.gid);
  }
  const std::string sub = parent + "/sub";
  EXPECT_EQ(as(kStranger, [&] { return error_of(::mkdir(sub.c_str(), 0755)); }), 0);
  EXPECT_EQ(mode_of(sub), 02755U);
  // Who is not in the group gets no program that runs as it.
  EXPECT_EQ(as(kStranger,
               [&] {
                 ::umask(0);
                 const UniqueFd fd(
                     ::open((parent + "/program").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 02775));
                 return fd ? 0 : errno;
               }),
            0);
  EXPECT_EQ(mode_of(parent + "/program"), 0775U);
}

// Of two users and the directory's owner: who may remove or replace what in a sticky directory.
TEST_F(PosixOwners, AStickyDirectoryKeepsStrangersFiles) {
  for (const FileType type : kFileTypes) {
    const std::string parent = make_directory("parent");
    ASSERT_EQ(::chown(parent.c_str(), 65500, 65500), 0);
    ASSERT_EQ(::chmod(parent.c_str(), 01777), 0);
    const std::string path = make_owned(type, "parent/mine", kOwner);
    const std::string theirs = make_owned(type, "parent/theirs", kStranger);
    const bool is_directory = type == FileType::directory;
    const auto remove_call = [&] {
      return error_of(is_directory ? ::rmdir(path.c_str()) : ::unlink(path.c_str()));
    };
    const auto rename_call = [&] {
      return error_of(::rename(path.c_str(), (parent + "/other").c_str()));
    };
    const auto replace_call = [&] { return error_of(::rename(theirs.c_str(), path.c_str())); };
    EXPECT_EQ(as(kStranger, remove_call), EPERM) << name_of(type);
    EXPECT_EQ(as(kStranger, rename_call), EPERM) << name_of(type);
    EXPECT_EQ(as(kStranger, replace_call), EPERM) << name_of(type);
    const User directory_owner{.uid = 65500, .gid = 65500, .groups = {}};
    EXPECT_EQ(as(directory_owner, replace_call), 0) << name_of(type);
    EXPECT_EQ(as(kOwner, remove_call), EPERM) << name_of(type);
    EXPECT_EQ(as(kStranger, remove_call), 0) << name_of(type);
    std::filesystem::remove_all(parent);
  }
}

TEST_F(PosixOwners, DirectoryBitsDecideWhatMayBeDoneInside) {
  const std::string parent = make_directory("parent");
  ASSERT_EQ(::chown(parent.c_str(), kOwner.uid, kOwner.gid), 0);
  struct Case {
    mode_t mode;
    int create;
    int list;
  };
  for (const Case& each : {Case{0700, 0, 0}, Case{0600, EACCES, 0}, Case{0500, EACCES, 0},
                           Case{0300, 0, EACCES}, Case{0, EACCES, EACCES}}) {
    ASSERT_EQ(::chmod(parent.c_str(), each.mode), 0);
    const std::string path = parent + "/new";
    EXPECT_EQ(as(kOwner, [&] { return error_of(::mkfifo(path.c_str(), 0644)); }), each.create);
    EXPECT_EQ(as(kOwner, [&] { return error_of(::open(parent.c_str(), O_RDONLY)); }), each.list);
    ::unlink(path.c_str());
  }
}

TEST_F(PosixOwners, OpenFollowsTheBitsOfOwnerGroupAndOthers) {
  const std::string path = make_owned(FileType::regular, "file", kOwner);
  const User member{.uid = 65520, .gid = 65519, .groups = {kOwner.gid}};
  const auto opens = [&](const User& user, int flags) {
    return as(user, [&] { return error_of(::open(path.c_str(), flags)); }) == 0;
  };
  for (const mode_t mode : {0600U, 0060U, 0006U, 0400U, 0040U, 0004U, 0200U, 0020U, 0002U}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const User* users[] = {&kOwner, &member, &kStranger};
    for (unsigned i = 0; i < 3; ++i) {
      const mode_t bits = (mode >> (6 - 3 * i)) & 7;
      EXPECT_EQ(opens(*users[i], O_RDONLY), (bits & 4) != 0) << mode << " " << i;
      EXPECT_EQ(opens(*users[i], O_WRONLY), (bits & 2) != 0) << mode << " " << i;
      EXPECT_EQ(opens(*users[i], O_RDWR), (bits & 6) == 6) << mode << " " << i;
      EXPECT_EQ(opens(*users[i], O_RDONLY | O_TRUNC), (bits & 6) == 6) << mode << " " << i;
    }
  }
}

TEST_F(PosixOwners, OnlyRootMakesDevices) {
  const auto make_device = [&] {
    return error_of(::mknod(at("device").c_str(), S_IFCHR | 0600, makedev(1, 3)));
  };
  EXPECT_EQ(as(kStranger, make_device), EPERM);
}

}  // namespace
}  // namespace weightfs::mount
