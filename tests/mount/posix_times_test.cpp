// Which of the times an operation moves.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "posix_test_base.h"

namespace weightfs::mount {
namespace {

using Path = const std::string&;

// Of "a", "m" and "c": what an operation moves of the file "parent/file" and of "parent".
struct TimesCase {
  const char* name;
  const char* of_file;
  const char* of_parent;
  std::function<int(Path parent, Path file)> run;
};

int with_file(Path file, int flags, const std::function<int(int)>& run) {
  const UniqueFd fd(::open(file.c_str(), flags | O_CLOEXEC, 0644));
  return fd ? run(fd.get()) : errno;
}

std::vector<TimesCase> attribute_cases() {
  return {
      {"chmod", "c", "", [](Path, Path file) { return error_of(::chmod(file.c_str(), 0600)); }},
      {"chown", "c", "", [](Path, Path file) { return error_of(::chown(file.c_str(), 1, 2)); }},
      {"setxattr", "c", "",
       [](Path, Path file) { return error_of(::setxattr(file.c_str(), "user.a", "1", 1, 0)); }},
      {"utimensat", "amc", "",
       [](Path, Path file) { return error_of(::utimensat(AT_FDCWD, file.c_str(), nullptr, 0)); }},
      {"truncate to less", "mc", "",
       [](Path, Path file) { return error_of(::truncate(file.c_str(), 1)); }},
      {"truncate to more", "mc", "",
       [](Path, Path file) { return error_of(::truncate(file.c_str(), 100)); }},
      {"stat", "", "", [](Path, Path file) { return must_stat(file).st_nlink > 0 ? 0 : 1; }},
  };
}

std::vector<TimesCase> content_cases() {
  return {
      {"ftruncate", "mc", "",
       [](Path, Path file) {
         return with_file(file, O_RDWR, [](int fd) { return error_of(::ftruncate(fd, 1)); });
       }},
      {"ftruncate to the same", "mc", "",
       [](Path, Path file) {
         return with_file(file, O_RDWR, [](int fd) { return error_of(::ftruncate(fd, 7)); });
       }},
      {"open with O_TRUNC", "mc", "",
       [](Path, Path file) { return with_file(file, O_WRONLY | O_TRUNC, [](int) { return 0; }); }},
      {"open with O_CREAT", "", "",
       [](Path, Path file) { return with_file(file, O_WRONLY | O_CREAT, [](int) { return 0; }); }},
      {"write", "mc", "",
       [](Path, Path file) {
         return with_file(file, O_WRONLY, [](int fd) { return error_of(::write(fd, "x", 1)); });
       }},
      {"write of nothing", "", "",
       [](Path, Path file) {
         return with_file(file, O_WRONLY, [](int fd) { return error_of(::write(fd, "", 0)); });
       }},
      {"fallocate", "mc", "",
       [](Path, Path file) {
         return with_file(file, O_WRONLY,
                          [](int fd) { return error_of(::fallocate(fd, 0, 0, 100)); });
       }},
      {"fallocate of nothing new", "mc", "",
       [](Path, Path file) {
         return with_file(file, O_WRONLY, [](int fd) {
           return error_of(::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100));
         });
       }},
      {"punch", "mc", "",
       [](Path, Path file) {
         return with_file(file, O_WRONLY, [](int fd) {
           return error_of(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 3));
         });
       }},
      {"mapped write", "mc", "",
       [](Path, Path file) {
         return with_file(file, O_RDWR | O_NOATIME, [](int fd) {
           void* start = ::mmap(nullptr, 7, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
           if (start == MAP_FAILED) return errno;
           static_cast<char*>(start)[0] = 'M';
           const int error = error_of(::msync(start, 7, MS_SYNC));
           ::munmap(start, 7);
           return error;
         });
       }},
  };
}

std::vector<TimesCase> name_cases() {
  return {
      {"link", "c", "mc",
       [](Path parent, Path file) {
         return error_of(::link(file.c_str(), (parent + "/new").c_str()));
       }},
      {"rename", "c", "mc",
       [](Path parent, Path file) {
         const std::string away = parent + "/new";
         const int error = error_of(::rename(file.c_str(), away.c_str()));
         return error != 0 ? error : error_of(::rename(away.c_str(), file.c_str()));
       }},
      {"mkdir", "", "mc",
       [](Path parent, Path) { return error_of(::mkdir((parent + "/new").c_str(), 0755)); }},
      {"mkfifo", "", "mc",
       [](Path parent, Path) { return error_of(::mkfifo((parent + "/new").c_str(), 0644)); }},
      {"symlink", "", "mc",
       [](Path parent, Path) { return error_of(::symlink("x", (parent + "/new").c_str())); }},
      {"open that makes", "", "mc",
       [](Path parent, Path) {
         return with_file(parent + "/new", O_CREAT | O_WRONLY, [](int) { return 0; });
       }},
  };
}

class PosixTimes : public PosixTest {
 protected:
  void expect_moved(const TimesCase& each) {
    const std::string parent = make_directory("parent");
    const std::string file = make_file("parent/file", "content");
    ASSERT_EQ(error_of(::link(file.c_str(), at("kept").c_str())), 0);
    // Last year: later than nothing, so that atime does not move by itself (relatime).
    const timespec past[2] = {{.tv_sec = 1'700'000'000, .tv_nsec = 5},
                              {.tv_sec = 1'700'000'000, .tv_nsec = 5}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), past, 0), 0);
    ASSERT_EQ(::utimensat(AT_FDCWD, parent.c_str(), past, 0), 0);
    let_time_pass();
    const struct stat file_before = must_stat(file);
    const struct stat parent_before = must_stat(parent);
    EXPECT_EQ(each.run(parent, file), 0) << each.name;
    EXPECT_EQ(moved_times(file_before, must_stat(at("kept"))), each.of_file) << each.name;
    EXPECT_EQ(moved_times(parent_before, must_stat(parent)), each.of_parent) << each.name;
    std::filesystem::remove_all(parent);
    ::unlink(at("kept").c_str());
  }
};

TEST_F(PosixTimes, ChangesOfAttributesMoveThem) {
  for (const TimesCase& each : attribute_cases()) expect_moved(each);
}

TEST_F(PosixTimes, ChangesOfContentMoveThem) {
  for (const TimesCase& each : content_cases()) expect_moved(each);
}

TEST_F(PosixTimes, ChangesOfNamesMoveThem) {
  for (const TimesCase& each : name_cases()) expect_moved(each);
}

TEST_F(PosixTimes, RemovingANameMovesThoseOfTheFileAndItsParent) {
  const std::string parent = make_directory("parent");
  const std::string file = make_file("parent/file");
  const std::string kept = at("kept");
  for (const bool replaced : {false, true}) {
    ::unlink(kept.c_str());
    ASSERT_EQ(::link(file.c_str(), kept.c_str()), 0);
    const std::string other = make_file("parent/other");
    let_time_pass();
    const struct stat before = must_stat(kept);
    const struct stat parent_before = must_stat(parent);
    EXPECT_EQ(replaced ? ::rename(other.c_str(), file.c_str()) : ::unlink(file.c_str()), 0);
    EXPECT_EQ(moved_times(before, must_stat(kept)), "c");
    EXPECT_EQ(must_stat(kept).st_nlink, 1U);
    EXPECT_EQ(moved_times(parent_before, must_stat(parent)), "mc");
    if (!replaced) (void)make_file("parent/file");
  }
}

TEST_F(PosixTimes, RenamingBetweenDirectoriesMovesThoseOfBoth) {
  const std::string from = make_directory("from");
  const std::string to = make_directory("to");
  make_directory("from/directory");
  let_time_pass();
  const struct stat from_before = must_stat(from);
  const struct stat to_before = must_stat(to);
  ASSERT_EQ(::rename((from + "/directory").c_str(), (to + "/directory").c_str()), 0);
  EXPECT_EQ(moved_times(from_before, must_stat(from)), "mc");
  EXPECT_EQ(moved_times(to_before, must_stat(to)), "mc");
  EXPECT_EQ(must_stat(from).st_nlink, 2U);
  EXPECT_EQ(must_stat(to).st_nlink, 3U);
  EXPECT_EQ(must_stat(to + "/directory/..").st_ino, must_stat(to).st_ino);
}

TEST_F(PosixTimes, AFailureMovesNone) {
  const std::string parent = make_directory("parent");
  const std::string file = make_file("parent/file", "content");
  let_time_pass();
  const struct stat before = must_stat(file);
  const struct stat parent_before = must_stat(parent);
  EXPECT_EQ(as(kStranger, [&] { return error_of(::chmod(file.c_str(), 0777)); }), EPERM);
  EXPECT_EQ(as(kStranger, [&] { return error_of(::chown(file.c_str(), 1, 1)); }), EPERM);
  EXPECT_EQ(as(kStranger, [&] { return error_of(::truncate(file.c_str(), 1)); }), EACCES);
  EXPECT_EQ(as(kStranger, [&] { return error_of(::unlink(file.c_str())); }), EACCES);
  EXPECT_EQ(error_of(::mkdir(file.c_str(), 0755)), EEXIST);
  EXPECT_EQ(error_of(::rmdir(parent.c_str())), ENOTEMPTY);
  EXPECT_EQ(error_of(::truncate(file.c_str(), -1)), EINVAL);
  EXPECT_EQ(error_of(::setxattr(file.c_str(), "user.a", "1", 1, XATTR_REPLACE)), ENODATA);
  const UniqueFd fd = must_open(file, O_WRONLY);
  EXPECT_EQ(::posix_fallocate(fd.get(), 0, 0), EINVAL);
  EXPECT_EQ(moved_times(before, must_stat(file)), "");
  EXPECT_EQ(moved_times(parent_before, must_stat(parent)), "");
}

TEST_F(PosixTimes, ReadingMovesTheAccessTimeOnceAfterAChange) {
  const std::string directory = make_directory("directory");
  const std::string link = make(FileType::symlink, "link");
  const auto list = [&] {
    DIR* stream = ::opendir(directory.c_str());
    while (::readdir(stream) != nullptr) {
    }
    ::closedir(stream);
  };
  const auto follow = [&] {
    char target[100];
    EXPECT_EQ(::readlink(link.c_str(), target, sizeof target), 4);
  };
  const std::string file = make_file("file", "content");
  let_time_pass();
  const struct stat file_before = must_stat(file);
  EXPECT_EQ(with_file(file, O_RDONLY, [](int) { return 0; }), 0);
  EXPECT_EQ(moved_times(file_before, must_stat(file)), "");
  EXPECT_EQ(read_file(file), "content");
  const struct stat file_read = must_stat(file);
  EXPECT_EQ(moved_times(file_before, file_read), "a");
  let_time_pass();
  EXPECT_EQ(read_file(file), "content");
  EXPECT_EQ(moved_times(file_read, must_stat(file)), "");
  const struct stat directory_before = must_stat(directory);
  const struct stat link_before = must_stat(link);
  list();
  follow();
  EXPECT_EQ(moved_times(directory_before, must_stat(directory)), "a");
  EXPECT_EQ(moved_times(link_before, must_stat(link)), "a");
}

}  // namespace
}  // namespace weightfs::mount
