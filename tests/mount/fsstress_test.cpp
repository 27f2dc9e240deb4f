// Several processes at once, each doing random things to one shared tree of few names. Afterwards
// the tree must agree with itself: link counts, sizes, listings, fsck.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

namespace stdfs = std::filesystem;

constexpr unsigned kProcesses = 6;

// What one process does. A call may fail, since others take its names away; it may not fail in a
// way that no file system should.
class Worker {
 public:
  Worker(std::string root, std::uint64_t seed) : root_(std::move(root)), random_(seed) {}

  // The error that should not be, or 0.
  int run(unsigned operation_count) {
    for (unsigned done = 0; done < operation_count; ++done) {
      const int error = error_of(step());
      if (error == EIO || error == EUCLEAN || error == ESTALE || error == ENOTCONN) return error;
    }
    return 0;
  }

 private:
  long step() {
    switch (random_() % 16) {
      case 0:
        return ::mkdir(name().c_str(), 0755);
      case 1:
        return ::rmdir(name().c_str());
      case 2:
        return ::unlink(name().c_str());
      case 3:
        return ::link(name().c_str(), name().c_str());
      case 4:
        return ::symlink("target", name().c_str());
      case 5:
        return ::mknod(name().c_str(), S_IFIFO | 0644, 0);
      case 6:
        return rename();
      case 7:
        return ::truncate(name().c_str(), static_cast<off_t>(random_() % 300'000));
      case 8:
        return ::setxattr(name().c_str(), "user.a", "value", random_() % 6, 0);
      case 9:
        return ::chmod(name().c_str(), 0600U | static_cast<mode_t>(random_() & 077U));
      case 10:
        return list();
      default:
        return change_content();
    }
  }

  std::string name() {
    std::string path = root_;
    for (std::uint64_t depth = random_() % 3; depth > 0; --depth) {
      path += "/" + std::to_string(random_() % 4);
    }
    return path + "/" + std::to_string(random_() % 8);
  }

  long rename() {
    constexpr unsigned kFlags[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
    return ::renameat2(AT_FDCWD, name().c_str(), AT_FDCWD, name().c_str(), kFlags[random_() % 4]);
  }

  long list() {
    std::error_code error;
    for (const auto& entry : stdfs::directory_iterator(name(), error)) (void)entry;
    return 0;
  }

  long change_content() {
    const int made = random_() % 2 == 0 ? O_CREAT : 0;
    const UniqueFd fd(::open(name().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | made, 0644));
    if (!fd) return -1;
    const auto offset = static_cast<off_t>(random_() % 300'000);
    std::string bytes(random_() % 50'000, static_cast<char>(random_()));
    switch (random_() % 5) {
      case 0:
        return ::pread(fd.get(), bytes.data(), bytes.size(), offset);
      case 1:
        return ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, 10'000);
      case 2:
        return ::fsync(fd.get());
      default:
        return ::pwrite(fd.get(), bytes.data(), bytes.size(), offset);
    }
  }

  std::string root_;
  std::mt19937_64 random_;
};

class FsStress : public MountTest {
 protected:
  // Sees every name, and that what it names can be read whole.
  void check_tree(const std::string& root) {
    struct Inode {
      nlink_t names = 0;
      nlink_t links = 0;
    };
    std::map<ino_t, Inode> files;
    std::map<std::string, nlink_t> directories = {{root, 2}};
    for (const auto& entry : stdfs::recursive_directory_iterator(root)) {
      const struct stat status = must_stat(entry.path());
      if (S_ISDIR(status.st_mode)) {
        directories[entry.path()] += 2;
        ++directories[entry.path().parent_path()];
        continue;
      }
      files[status.st_ino].links = status.st_nlink;
      ++files[status.st_ino].names;
      if (!S_ISREG(status.st_mode)) continue;
      EXPECT_EQ(read_file(entry.path()).size(), static_cast<std::size_t>(status.st_size));
    }
    for (const auto& [inode, each] : files) EXPECT_EQ(each.names, each.links) << "inode " << inode;
    for (const auto& [path, links] : directories)
      EXPECT_EQ(must_stat(path).st_nlink, links) << path;
  }
  void expect_clean_store() {
    unmount();
    const ProgramResult checked = run_weightfs({"fsck", store()});
    EXPECT_EQ(checked.exit_status, 0) << checked.output;
    mount();
  }
};

TEST_F(FsStress, ManyProcessesLeaveATreeThatAgreesWithItself) {
  const std::uint64_t seed = std::random_device{}();
  const char* count = std::getenv("WEIGHTFS_FSSTRESS_OPERATIONS");
  const auto operation_count = static_cast<unsigned>(count == nullptr ? 10'000 : std::atoi(count));
  fmt::print("seed {}\n", seed);
  const std::string root = path("root");
  ASSERT_EQ(::mkdir(root.c_str(), 0755), 0);
  std::vector<pid_t> children;
  for (unsigned i = 0; i < kProcesses; ++i) {
    children.push_back(::fork());
    if (children.back() == 0) ::_exit(Worker(root, seed + i).run(operation_count));
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << WEXITSTATUS(status);
  }
  check_tree(root);
  EXPECT_FALSE(stdfs::is_empty(root)) << "nothing was done";
  seal();
  check_tree(root);
  expect_clean_store();
  check_tree(root);
  stdfs::remove_all(root);
  expect_clean_store();
}

}  // namespace
}  // namespace weightfs::mount
