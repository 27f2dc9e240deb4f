#include "posix_test_base.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace weightfs::mount {
namespace {

// Ends the process where it can't become the user: as root it would prove nothing.
void become(const User& user) {
  const bool done = ::setgroups(user.groups.size(), user.groups.data()) == 0 &&
                    ::setresgid(user.gid, user.gid, user.gid) == 0 &&
                    ::setresuid(user.uid, user.uid, user.uid) == 0;
  if (!done) ::_exit(255);
}

}  // namespace

int as(const User& user, const std::function<int()>& call) {
  const pid_t child = ::fork();
  if (child == 0) {
    become(user);
    ::_exit(call());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

const char* name_of(FileType type) {
  switch (type) {
    case FileType::regular:
      return "regular";
    case FileType::directory:
      return "directory";
    case FileType::fifo:
      return "fifo";
    case FileType::block:
      return "block";
    case FileType::character:
      return "character";
    case FileType::socket:
      return "socket";
    case FileType::symlink:
      return "symlink";
  }
  return "?";
}

void PosixTest::SetUp() {
  ASSERT_EQ(::geteuid(), 0U) << "these tests act as several users, which takes root";
  ::umask(022);
  const char* reference = std::getenv("WEIGHTFS_REFERENCE_DIRECTORY");
  if (reference != nullptr) {
    reference_ = reference;
    root_ = reference_ + "/weightfs-reference-" + std::to_string(::getpid());
  } else {
    MountTest::SetUp();
    if (HasFatalFailure()) return;
    root_ = path("root");
  }
  ASSERT_EQ(::mkdir(root_.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(root_.c_str(), 0777), 0);
}

void PosixTest::TearDown() {
  if (!on_reference()) return MountTest::TearDown();
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

void PosixTest::mount_read_only() {
  unmount();
  mount("ro,allow_other");
}

std::string PosixTest::make_file(std::string_view name, std::string_view content) {
  std::string path = at(name);
  write_file(path, content);
  return path;
}

std::string PosixTest::make_directory(std::string_view name, mode_t mode) {
  std::string path = at(name);
  EXPECT_EQ(error_of(::mkdir(path.c_str(), 0755)), 0) << path;
  EXPECT_EQ(error_of(::chmod(path.c_str(), mode)), 0) << path;
  return path;
}

std::string PosixTest::make(FileType type, std::string_view name) {
  const std::string path = at(name);
  int outcome = 0;
  switch (type) {
    case FileType::regular:
      return make_file(name);
    case FileType::directory:
      return make_directory(name);
    case FileType::fifo:
      outcome = ::mkfifo(path.c_str(), 0644);
      break;
    case FileType::block:
      outcome = ::mknod(path.c_str(), S_IFBLK | 0644, makedev(1, 2));
      break;
    case FileType::character:
      outcome = ::mknod(path.c_str(), S_IFCHR | 0644, makedev(1, 3));
      break;
    case FileType::socket:
      outcome = ::mknod(path.c_str(), S_IFSOCK | 0644, 0);
      break;
    case FileType::symlink:
      outcome = ::symlink("test", path.c_str());
      break;
  }
  EXPECT_EQ(error_of(outcome), 0) << path;
  return path;
}

void PosixTest::remove(const std::string& path) {
  EXPECT_EQ(::remove(path.c_str()), 0) << path;
}

std::string moved_times(const struct stat& before, const struct stat& after) {
  const auto moved = [](const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
  };
  std::string names;
  if (moved(before.st_atim, after.st_atim)) names += "a";
  if (moved(before.st_mtim, after.st_mtim)) names += "m";
  if (moved(before.st_ctim, after.st_ctim)) names += "c";
  return names;
}

void let_time_pass() {
  ::usleep(12'000);  // three ticks of the kernel's coarse clock
}

}  // namespace weightfs::mount
