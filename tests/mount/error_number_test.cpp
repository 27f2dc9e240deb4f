#include "error_number.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace weightfs::mount {
namespace {

// The codes that system_error() can answer, which must come back as the errno that they were.
TEST(ErrorNumber, IsWhatTheSystemSaid) {
  for (const int number :
       {ENOENT,  EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, ENAMETOOLONG, ELOOP, EXDEV,  EMLINK,
        ENODATA, ERANGE, EACCES,  EPERM,  EROFS,     EBUSY,        EBADF, EINVAL, EFBIG,
        ENXIO,   ENOSPC, EDQUOT,  ENOMEM, EINTR,     EAGAIN,       EIO}) {
    EXPECT_EQ(errno_of(system_error(number, "test").code), number);
  }
}

TEST(ErrorNumber, DamageIsAnErrorOfInputAndOutput) {
  EXPECT_EQ(errno_of(Code::corrupt), EIO);
  EXPECT_EQ(errno_of(Code::newer_version), EIO);
}

TEST(ErrorNumber, IsNeverOneThatTurnsAnOperationOff) {
  for (int code = 0; code <= static_cast<int>(Code::newer_version); ++code) {
    EXPECT_NE(errno_of(static_cast<Code>(code)), ENOSYS);
    EXPECT_GT(errno_of(static_cast<Code>(code)), 0);
  }
}

}  // namespace
}  // namespace weightfs::mount
