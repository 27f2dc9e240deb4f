// utimensat(2): what it sets, and who may.
#include <fcntl.h>

#include <cerrno>

#include "posix_test_base.h"

namespace weightfs::mount {
namespace {

class Utimensat : public PosixTest {
 protected:
  static int set_times(const std::string& path, const timespec& atime, const timespec& mtime,
                       int flags = 0) {
    const timespec times[2] = {atime, mtime};
    return error_of(::utimensat(AT_FDCWD, path.c_str(), times, flags));
  }
};

TEST_F(Utimensat, NowAndOmitAreHonouredEachForItself) {
  const std::string file = make_file("file");
  const timespec then{.tv_sec = 1'000'000'000, .tv_nsec = 123'456'789};
  const timespec now{.tv_sec = 0, .tv_nsec = UTIME_NOW};
  const timespec omit{.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  ASSERT_EQ(set_times(file, then, then), 0);
  EXPECT_EQ(must_stat(file).st_mtim.tv_nsec, 123'456'789);
  const struct stat before = must_stat(file);
  let_time_pass();
  ASSERT_EQ(set_times(file, omit, omit), 0);
  EXPECT_EQ(moved_times(before, must_stat(file)), "");
  ASSERT_EQ(set_times(file, now, omit), 0);
  EXPECT_EQ(moved_times(before, must_stat(file)), "ac");
  ASSERT_EQ(set_times(file, then, now), 0);
  EXPECT_EQ(moved_times(before, must_stat(file)), "mc");
  EXPECT_EQ(set_times(file, {.tv_sec = 0, .tv_nsec = 1'000'000'000}, then), EINVAL);
}

TEST_F(Utimensat, UtimensatIsTheOwnersAndNowTheWritersToo) {
  const std::string file = make_file("file");
  ASSERT_EQ(::chown(file.c_str(), kOwner.uid, kOwner.gid), 0);
  const timespec then{.tv_sec = 1'000'000'000, .tv_nsec = 0};
  const timespec now{.tv_sec = 0, .tv_nsec = UTIME_NOW};
  const timespec omit{.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  const auto as_stranger = [&](const timespec& atime, const timespec& mtime) {
    return as(kStranger, [&] { return set_times(file, atime, mtime); });
  };
  EXPECT_EQ(as(kOwner, [&] { return set_times(file, then, then); }), 0);
  EXPECT_EQ(as_stranger(now, now), EACCES);
  EXPECT_EQ(as_stranger(then, then), EPERM);
  EXPECT_EQ(as_stranger(omit, omit), 0);
  ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
  EXPECT_EQ(as_stranger(now, now), 0);
  EXPECT_EQ(as_stranger(then, now), EPERM);
  EXPECT_EQ(as_stranger(now, omit), EPERM);
}

TEST_F(Utimensat, ASymlinkHasTimesOfItsOwn) {
  const std::string file = make_file("test");
  const std::string link = make(FileType::symlink, "link");
  const timespec then{.tv_sec = 1'000'000'000, .tv_nsec = 1};
  const struct stat before = must_stat(file);
  ASSERT_EQ(set_times(link, then, then, AT_SYMLINK_NOFOLLOW), 0);
  EXPECT_EQ(must_stat(link).st_mtim.tv_sec, then.tv_sec);
  EXPECT_EQ(moved_times(before, must_stat(file)), "");
}

// ext4 keeps 1901 to 2446; here 64 bits of seconds are kept.
TEST_F(Utimensat, TimesFarFromNowAreKept) {
  const std::string file = make_file("file");
  for (const time_t seconds : {time_t{-1}, time_t{-2147483647}, time_t{2147483648},
                               time_t{4294967296}, time_t{15'032'385'534}}) {
    ASSERT_EQ(set_times(file, {.tv_sec = seconds, .tv_nsec = 7}, {.tv_sec = seconds, .tv_nsec = 9}),
              0);
    if (!on_reference()) {
      remount();
    }
    EXPECT_EQ(must_stat(file).st_atim.tv_sec, seconds);
    EXPECT_EQ(must_stat(file).st_mtim.tv_sec, seconds);
    EXPECT_EQ(must_stat(file).st_mtim.tv_nsec, 9);
  }
}

}  // namespace
}  // namespace weightfs::mount
