// Locks, which the kernel keeps, between processes.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

class Locks : public MountTest {
 protected:
  // What `attempt`, an expression of its own process on a descriptor of its own, comes to.
  template <class Attempt>
  int in_another_process(const Attempt& attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
      const int fd = ::open(path("f").c_str(), O_RDWR | O_CLOEXEC);
      ::_exit(error_of(attempt(fd)));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }
  static int lock_range(int fd, short type, off_t start, off_t length) {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    range.l_start = start;
    range.l_len = length;
    return ::fcntl(fd, F_SETLK, &range);
  }
};

TEST_F(Locks, FlockExcludesAnotherProcess) {
  const UniqueFd fd = must_open(path("f"), O_RDWR | O_CREAT);
  ASSERT_EQ(::flock(fd.get(), LOCK_EX), 0);
  const auto attempt = [](int other) { return ::flock(other, LOCK_EX | LOCK_NB); };
  EXPECT_EQ(in_another_process(attempt), EWOULDBLOCK);
  ASSERT_EQ(::flock(fd.get(), LOCK_UN), 0);
  EXPECT_EQ(in_another_process(attempt), 0);
}

TEST_F(Locks, PosixLocksExcludeByRange) {
  const UniqueFd fd = must_open(path("f"), O_RDWR | O_CREAT);
  ASSERT_EQ(lock_range(fd.get(), F_WRLCK, 0, 100), 0);
  EXPECT_EQ(in_another_process([](int other) { return lock_range(other, F_WRLCK, 50, 10); }),
            EAGAIN);
  EXPECT_EQ(in_another_process([](int other) { return lock_range(other, F_WRLCK, 100, 10); }), 0);
}

}  // namespace
}  // namespace weightfs::mount
