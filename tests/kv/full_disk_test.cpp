// A disk that is full: a file system in memory of 4 MiB, mounted in a namespace of the test's own.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "temporary_directory.h"
#include "weightfs/kv/buffered.h"
#include "weightfs/kv/environment.h"

namespace weightfs::kv {
namespace {

bool mount_small_disk(const std::string& path) {
  return (::geteuid() == 0 || ::unshare(CLONE_NEWUSER) == 0) && ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=4m") == 0;
}

// Exits with 0 if `condition` holds; what does not hold goes to stderr.
void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  ::_exit(1);
}

void fill_until_full(Buffered& buffered, Table table) {
  for (int i = 0;; ++i) {
    Batch batch;
    batch.put(table, "key " + std::to_string(i), std::string(300'000, 'x'));
    buffered.apply(std::move(batch));
    const Status done = buffered.commit();
    if (done) continue;
    require(done.error().code == Code::no_space, "the error is no_space");
    require(i > 3, "a few fit");
    require(*buffered.get(table, "key 0") == std::string(300'000, 'x'),
            "what was written is there");
    require((*buffered.get(table, "key " + std::to_string(i))).has_value(),
            "the last is in memory");
    Batch undo;
    undo.erase(table, "key " + std::to_string(i));
    buffered.apply(std::move(undo));
    return;
  }
}

void run_on_small_disk(const std::string& path) {
  require(mount_small_disk(path), "a small disk can be mounted");
  {
    auto environment = *Environment::open({.path = path + "/env"});
    const Table table = *environment->open_table("things");
    Buffered buffered(*environment);
    fill_until_full(buffered, table);
    Batch batch;
    for (int i = 0; i < 3; ++i) batch.erase(table, "key " + std::to_string(i));
    buffered.apply(std::move(batch));
    require(buffered.commit().has_value(), "what takes no room can be committed");
    Batch again;
    again.put(table, "again", std::string(300'000, 'y'));
    buffered.apply(std::move(again));
    // LMDB uses freed pages again after one more transaction, which a failure makes.
    require(buffered.commit().has_value() || buffered.commit().has_value(),
            "the room that was freed is used again");
  }
  require(Environment::verify(path + "/env").has_value(), "the file is whole");
}

// Whether this process may mount at all; tried in a child, since it changes the namespace.
bool can_mount(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(mount_small_disk(path) ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(FullDisk, IsNoSpaceToTheWriterAndWritingWorksAgainWithRoom) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(can_mount(directory.path()))
      << "this test mounts a tmpfs: as root, or in a namespace";
  EXPECT_EXIT(
      {
        run_on_small_disk(directory.path());
        ::_exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace weightfs::kv
