// The errors of every system call that takes a path, as POSIX and Linux define them.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "posix_calls.h"
#include "posix_test_base.h"

namespace weightfs::mount {
namespace {

class PosixErrors : public PosixTest {
 protected:
  void SetUp() override {
    PosixTest::SetUp();
    if (!HasFatalFailure()) helper_ = make_file("helper");
  }
  // Every call on the path fails so; with `role`, those only.
  void expect_error(const std::string& path, int error) {
    for (const PathCall& call : path_calls()) expect_error_of(call, path, error);
  }
  void expect_error(const std::string& path, int error, PathRole role) {
    for (const PathCall& call : path_calls()) {
      if (call.role == role) expect_error_of(call, path, error);
    }
  }
  void expect_error_of(const PathCall& call, const std::string& path, int error) {
    const int found = call.run(path, helper_);
    EXPECT_EQ(found, error) << call.name << " of " << path.substr(0, 80) << ": "
                            << ::strerrorname_np(found);
  }

  std::string helper_;
};

TEST_F(PosixErrors, APrefixThatIsNoDirectory) {
  for (const FileType type : {FileType::regular, FileType::fifo, FileType::block,
                              FileType::character, FileType::socket}) {
    const std::string path = make(type, name_of(type));
    expect_error(path + "/below", ENOTDIR);
    expect_error(path + "/below/that", ENOTDIR);
  }
}

TEST_F(PosixErrors, AComponentOf256Bytes) {
  const std::string path = at(std::string(256, 'x'));
  expect_error(path, ENAMETOOLONG);
  expect_error(path + "/below", ENAMETOOLONG);
  expect_error(at(std::string(1024, 'x')), ENAMETOOLONG);
  expect_error(at(std::string(1025, 'x')), ENAMETOOLONG);
}

TEST_F(PosixErrors, APathOf4096Bytes) {
  std::string path = root();
  while (path.size() < 4096) path += "/.";
  expect_error(path.substr(0, 4096), ENAMETOOLONG);
  expect_error(std::string(5000, '/') + "x", ENAMETOOLONG);
}

TEST_F(PosixErrors, APrefixThatIsMissing) {
  expect_error(at("missing/below"), ENOENT);
}

TEST_F(PosixErrors, APrefixThatIsASymlinkToItself) {
  ASSERT_EQ(::symlink("loop-b", at("loop-a").c_str()), 0);
  ASSERT_EQ(::symlink("loop-a", at("loop-b").c_str()), 0);
  expect_error(at("loop-a/below"), ELOOP);
  expect_error(at("loop-a"), ELOOP, PathRole::follows);
}

TEST_F(PosixErrors, ANameThatIsMissing) {
  for (const PathRole role : {PathRole::follows, PathRole::itself, PathRole::removes}) {
    expect_error(at("missing"), ENOENT, role);
  }
  ASSERT_EQ(::symlink("missing", at("dangling").c_str()), 0);
  expect_error(at("dangling"), ENOENT, PathRole::follows);
  expect_error("", ENOENT);
}

TEST_F(PosixErrors, ANameThatExists) {
  for (const FileType type : kFileTypes) {
    expect_error(make(type, name_of(type)), EEXIST, PathRole::makes);
  }
  expect_error(root(), EEXIST, PathRole::makes);
}

TEST_F(PosixErrors, APrefixThatMayNotBeSearched) {
  const std::string path = make_directory("closed", 0600) + "/name";
  write_file(path, "");
  for (const PathCall& call : path_calls()) {
    EXPECT_EQ(as(kStranger, [&] { return call.run(path, helper_); }), EACCES) << call.name;
  }
}

TEST_F(PosixErrors, AParentThatMayNotBeWritten) {
  const std::string parent = make_directory("parent");
  write_file(parent + "/file", "");
  ASSERT_EQ(::mkdir((parent + "/directory").c_str(), 0777), 0);
  for (const PathCall& call : path_calls()) {
    std::string path;
    if (call.role == PathRole::makes) path = parent + "/new";
    if (call.role == PathRole::removes) path = parent + "/file";
    if (call.name == std::string_view("rmdir")) path = parent + "/directory";
    // Linux does not let one link a stranger's file (protected_hardlinks): EPERM comes first.
    if (path.empty() || call.name == std::string_view("link to")) continue;
    EXPECT_EQ(as(kStranger, [&] { return call.run(path, helper_); }), EACCES) << call.name;
  }
}

TEST_F(PosixErrors, AReadOnlyMount) {
  if (on_reference()) GTEST_SKIP() << "it can't be mounted anew";
  const std::string file = make_file("file");
  const std::string directory = make_directory("directory");
  mount_read_only();
  for (const PathCall& call : path_calls()) {
    if (!call.changes) continue;
    const bool wants_directory = call.name == std::string_view("rmdir");
    const std::string path = call.role == PathRole::makes ? at("new")
                             : wants_directory            ? directory
                                                          : file;
    expect_error_of(call, path, EROFS);
  }
  EXPECT_EQ(error_of(::rename(file.c_str(), at("other").c_str())), EROFS);
  EXPECT_EQ(read_file(file), "");
}

TEST_F(PosixErrors, LongestNamesAndPathsWork) {
  const std::string longest(255, 'x');
  for (const PathCall& call : path_calls()) {
    if (call.role != PathRole::makes) continue;
    const std::string path = at(longest);
    EXPECT_EQ(call.run(path, helper_), 0) << call.name;
    EXPECT_EQ(must_stat(path).st_nlink > 0, true);
    remove(path);
    ASSERT_EQ(::chdir(root().c_str()), 0);
    std::string dots;
    while (dots.size() + 2 + longest.size() <= 4095) dots += "./";
    EXPECT_EQ(call.run(dots + longest, helper_), 0) << call.name;
    remove(path);
    ASSERT_EQ(::chdir("/"), 0);
  }
}

TEST_F(PosixErrors, ASymlinkTargetOf4096Bytes) {
  EXPECT_EQ(error_of(::symlink(std::string(4096, 'x').c_str(), at("a").c_str())), ENAMETOOLONG);
  EXPECT_EQ(error_of(::symlink(std::string(4095, 'x').c_str(), at("a").c_str())), 0);
  EXPECT_EQ(must_stat(at("a")).st_size, 4095);
  EXPECT_EQ(error_of(::symlink("", at("b").c_str())), ENOENT);
}

TEST_F(PosixErrors, RemovingWhatIsOfTheWrongType) {
  const std::string directory = make_directory("directory");
  EXPECT_EQ(error_of(::unlink(directory.c_str())), EISDIR);
  for (const FileType type : kFileTypes) {
    if (type == FileType::directory) continue;
    EXPECT_EQ(error_of(::rmdir(make(type, name_of(type)).c_str())), ENOTDIR) << name_of(type);
    make(type, std::string("directory/") + name_of(type));
    EXPECT_EQ(error_of(::rmdir(directory.c_str())), ENOTEMPTY);
    remove(directory + "/" + name_of(type));
  }
  EXPECT_EQ(error_of(::rmdir((directory + "/.").c_str())), EINVAL);
  EXPECT_EQ(error_of(::rmdir((directory + "/..").c_str())), ENOTEMPTY);
}

TEST_F(PosixErrors, OpeningWhatIsOfTheWrongType) {
  const auto open = [](const std::string& path, int flags) {
    const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
    return fd ? 0 : errno;
  };
  const std::string directory = make_directory("directory");
  EXPECT_EQ(open(directory, O_WRONLY), EISDIR);
  EXPECT_EQ(open(directory, O_RDWR), EISDIR);
  EXPECT_EQ(open(directory, O_RDONLY | O_TRUNC), EISDIR);
  EXPECT_EQ(open(directory, O_RDONLY | O_CREAT), EISDIR);
  EXPECT_EQ(open(helper_, O_RDONLY | O_DIRECTORY), ENOTDIR);
  EXPECT_EQ(open(make(FileType::symlink, "link"), O_RDONLY | O_NOFOLLOW), ELOOP);
  EXPECT_EQ(open(make(FileType::fifo, "fifo"), O_WRONLY | O_NONBLOCK), ENXIO);
  EXPECT_EQ(open(make(FileType::socket, "socket"), O_RDONLY), ENXIO);
}

TEST_F(PosixErrors, AProgramThatRunsIsNotWritten) {
  const std::string program = at("program");
  write_file(program, read_file("/bin/sleep"));
  ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) ::execl(program.c_str(), program.c_str(), "30", nullptr);
  ASSERT_GT(child, 0);
  while (read_file("/proc/" + std::to_string(child) + "/comm") != "program\n") ::usleep(1000);
  EXPECT_EQ(error_of(::open(program.c_str(), O_WRONLY | O_CLOEXEC)), ETXTBSY);
  EXPECT_EQ(error_of(::open(program.c_str(), O_RDONLY | O_TRUNC | O_CLOEXEC)), ETXTBSY);
  EXPECT_EQ(read_file(program), read_file("/bin/sleep"));
  EXPECT_EQ(error_of(::truncate(program.c_str(), 123)), ETXTBSY);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace weightfs::mount
