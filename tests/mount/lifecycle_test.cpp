// Mounting, unmounting, and what goes wrong with either.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "mount_test_base.h"
#include "weightfs/store/directory.h"

namespace weightfs::mount {
namespace {

class Lifecycle : public MountTest {
 protected:
  // Expects that the mount fails, with one line that has `text` in it.
  void expect_refusal(const std::vector<std::string>& arguments, const std::string& text) {
    std::vector<std::string> all = {"mount"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const ProgramResult result = run_weightfs(all);
    EXPECT_NE(result.exit_status, 0);
    EXPECT_NE(result.output.find(text), std::string::npos) << result.output;
    EXPECT_EQ(result.output.find('\n') + 1, result.output.size()) << result.output;
  }
  int daemon_pid() { return store::lock_holder(store()).value_or(0); }
};

TEST_F(Lifecycle, RefusesAMountPointThatIsMissing) {
  expect_refusal({directory_.path("other"), directory_.path("missing")}, "mkdir -p");
}

TEST_F(Lifecycle, RefusesAMountPointThatIsAFile) {
  write_file(directory_.path("file"), "");
  expect_refusal({directory_.path("other"), directory_.path("file")}, "not a directory");
}

TEST_F(Lifecycle, RefusesAMountPointThatIsNotEmpty) {
  ASSERT_EQ(::mkdir(directory_.path("full").c_str(), 0755), 0);
  write_file(directory_.path("full/file"), "");
  expect_refusal({directory_.path("other"), directory_.path("full")}, "not empty");
}

TEST_F(Lifecycle, RefusesAStoreThatIsAFile) {
  write_file(directory_.path("file"), "");
  ASSERT_EQ(::mkdir(directory_.path("empty").c_str(), 0755), 0);
  expect_refusal({directory_.path("file"), directory_.path("empty")}, "not a directory");
}

TEST_F(Lifecycle, RefusesAStoreThatIsMountedAlreadyAndSaysByWhom) {
  ASSERT_EQ(::mkdir(directory_.path("second").c_str(), 0755), 0);
  expect_refusal({store(), directory_.path("second")}, std::to_string(daemon_pid()));
}

TEST_F(Lifecycle, RefusesAMountPointThatIsInUse) {
  expect_refusal({directory_.path("other"), mount_point()}, "already");
}

TEST_F(Lifecycle, RefusesAnUnknownOption) {
  ASSERT_EQ(::mkdir(directory_.path("empty").c_str(), 0755), 0);
  expect_refusal({directory_.path("other"), directory_.path("empty"), "-o", "tier=fast,wibble=1"},
                 "wibble");
}

TEST_F(Lifecycle, UnmountingWhatIsNotMountedIsAnError) {
  const ProgramResult result = run_weightfs({"umount", directory_.path("nowhere")});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.output.find("no weightfs is mounted"), std::string::npos) << result.output;
}

TEST_F(Lifecycle, UnmountReturnsWhenTheDaemonHasGone) {
  const int pid = daemon_pid();
  ASSERT_GT(pid, 1);
  write_file(path("f"), noise(std::size_t{4} << 20, 1));
  unmount();
  EXPECT_FALSE(is_running(pid));
  EXPECT_EQ(daemon_pid(), 0);
}

TEST_F(Lifecycle, UnmountRefusesWhileAFileIsOpen) {
  UniqueFd fd = must_open(path("f"), O_CREAT | O_RDWR);
  const ProgramResult result = run_weightfs({"umount", mount_point()});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.output.find("in use"), std::string::npos) << result.output;
  fd.reset();
  unmount();
}

TEST_F(Lifecycle, ALazyUnmountLeavesOpenFilesToTheirReaders) {
  write_file(path("f"), "content");
  UniqueFd fd = must_open(path("f"), O_RDONLY);
  const int pid = daemon_pid();
  const ProgramResult result = run_weightfs({"umount", "--lazy", mount_point()});
  EXPECT_EQ(result.exit_status, 0) << result.output;
  char buffer[8] = {};
  EXPECT_EQ(::pread(fd.get(), buffer, 7, 0), 7);
  EXPECT_STREQ(buffer, "content");
  fd.reset();
  wait_for_end(pid);
}

TEST_F(Lifecycle, APlainUmountKeepsEverything) {
  const std::string content = noise(std::size_t{4} << 20, 2);
  write_file(path("f"), content);
  ASSERT_EQ(::umount2(mount_point().c_str(), 0), 0);
  mount();  // waits for the daemon that still seals
  EXPECT_EQ(read_file(path("f")), content);
}

// As after umount(8) with much to seal: what has the lock is a daemon, by its command, that serves
// nobody. Others are waited for 10 s.
TEST_F(Lifecycle, AMountWaitsForADaemonThatEndsHoweverLongItTakes) {
  unmount();
  const ProgramResult result = run_program(
      {"sh", "-c",
       "flock -x \"$1/lock\" sh -c 'echo $$ >\"$0/lock\"; sleep 12; : ended' \"$1\" mount "
       ">/dev/null 2>&1 & sleep 0.5; exec \"$2\" mount \"$1\" \"$3\"",
       "sh", store(), WEIGHTFS_PROGRAM, mount_point()});
  EXPECT_EQ(result.exit_status, 0) << result.output;
}

TEST_F(Lifecycle, ASignalUnmountsAndKeepsEverything) {
  const std::string content = noise(std::size_t{4} << 20, 3);
  write_file(path("f"), content);
  const int pid = daemon_pid();
  ASSERT_EQ(::kill(pid, SIGTERM), 0);
  wait_for_end(pid);
  mount();
  EXPECT_EQ(read_file(path("f")), content);
}

TEST_F(Lifecycle, ASignalEndsTheDaemonWhileFilesAreOpen) {
  const UniqueFd fd = must_open(path("f"), O_CREAT | O_RDWR);
  ASSERT_EQ(::pwrite(fd.get(), "kept", 4, 0), 4);
  const int pid = daemon_pid();
  ASSERT_EQ(::kill(pid, SIGTERM), 0);
  wait_for_end(pid);
  mount();
  EXPECT_EQ(read_file(path("f")), "kept");
}

TEST_F(Lifecycle, WhatWasFsyncedOutlivesAKilledDaemonAndItsDeadMountIsDetached) {
  const std::string content = noise(std::size_t{3} << 20, 4);
  {
    const UniqueFd fd = must_open(path("f"), O_CREAT | O_RDWR);
    ASSERT_TRUE(write_exactly(fd.get(), 0, bytes_of(content)));
    ASSERT_EQ(::fsync(fd.get()), 0);
  }
  kill_daemon();
  // A request that was on its way while the daemon ended is aborted; the next finds nobody.
  const auto ask = [&] { return error_of(::access(mount_point().c_str(), F_OK)); };
  const int first = ask();
  EXPECT_EQ(first == ECONNABORTED ? ask() : first, ENOTCONN);
  mount();
  EXPECT_EQ(read_file(path("f")), content);
}

// The kernel may go on moving the bytes by itself: close(2) must say that nobody has them.
TEST_F(Lifecycle, WhoWritesWhenTheDaemonIsKilledLearnsOfIt) {
  UniqueFd fd = must_open(path("new"), O_WRONLY | O_CREAT);
  ASSERT_TRUE(write_exactly(fd.get(), 0, bytes_of("content")));
  kill_daemon();
  const bool written = write_exactly(fd.get(), 7, bytes_of("more")).has_value();
  const bool closed = ::close(fd.release()) == 0;
  EXPECT_FALSE(written && closed);
}

TEST_F(Lifecycle, NewFilesGoThroughTheDaemonWhereThatIsWanted) {
  unmount();
  mount("nopassthrough");
  const std::string content = noise(3'000'000, 8);
  write_file(path("new"), content);
  EXPECT_EQ(read_file(path("new")), content);
  seal();
  EXPECT_EQ(read_file(path("new")), content);
}

TEST_F(Lifecycle, ADeadMountIsFoundWhereTheKernelStillKnowsItsAttributes) {
  (void)must_stat(mount_point());
  kill_daemon();
  struct stat status {};
  ASSERT_EQ(::stat(mount_point().c_str(), &status), 0) << "nothing is kept that could mislead";
  mount();
  EXPECT_TRUE(is_running(daemon_pid()));
}

TEST_F(Lifecycle, ADeadMountCanBeUnmounted) {
  kill_daemon();
  unmount();
  EXPECT_EQ(::access(mount_point().c_str(), F_OK), 0);
}

TEST_F(Lifecycle, AReadOnlyMountChangesNothing) {
  write_file(path("f"), "content");
  unmount();
  mount("ro");
  EXPECT_EQ(read_file(path("f")), "content");
  EXPECT_EQ(error_of(::open(path("g").c_str(), O_CREAT | O_WRONLY, 0644)), EROFS);
  EXPECT_EQ(error_of(::unlink(path("f").c_str())), EROFS);
}

TEST_F(Lifecycle, SyncWorksThroughAnAttributeOfTheRoot) {
  write_file(path("f"), noise(std::size_t{1} << 20, 5));
  EXPECT_EQ(::setxattr(mount_point().c_str(), "user.weightfs.sync", "1", 1, 0), 0);
  kill_daemon();
  mount();
  EXPECT_EQ(read_file(path("f")), noise(std::size_t{1} << 20, 5));
}

// Through fusermount3, which has to be setuid root; with a /dev/fuse as Debian's, which everybody
// may use.
TEST_F(Lifecycle, AUserMountsWritesSyncsAndUnmounts) {
  unmount();
  write_file(directory_.path("as_root"), R"sh(
    set -eux
    cd "$1"; mknod fuse c 10 229; chmod 666 fuse; mount --bind fuse /dev/fuse
    mkdir home; chown 65534:65534 home
    exec setpriv --reuid=65534 --regid=65534 --clear-groups sh "$1/as_user" "$1/home" "$2")sh");
  write_file(directory_.path("as_user"), R"sh(
    set -eux
    cd "$1"; mkdir m
    "$2" mount s m; echo kept >m/f; "$2" sync m; "$2" umount m
    "$2" mount s m; cat m/f; "$2" umount m
    ! "$2" mount s m -o allow_other)sh");
  const ProgramResult result = run_program({"unshare", "--mount", "sh", directory_.path("as_root"),
                                            directory_.path(""), WEIGHTFS_PROGRAM});
  EXPECT_EQ(result.exit_status, 0) << result.output;
  EXPECT_NE(result.output.find("\nkept\n"), std::string::npos) << result.output;
  EXPECT_NE(result.output.find("user_allow_other"), std::string::npos) << result.output;
}

TEST_F(Lifecycle, StaysInTheForegroundUntilASignal) {
  unmount();
  const std::string script =
      std::string(WEIGHTFS_PROGRAM) + " mount -f " + store() + " " + mount_point() +
      " & pid=$!; i=0; while [ $i -lt 200 ] && ! mountpoint -q " + mount_point() +
      "; do sleep 0.05; i=$((i+1)); done; echo x >" + path("f") + "; kill $pid; wait $pid";
  const ProgramResult result = run_program({"sh", "-c", script});
  EXPECT_EQ(result.exit_status, 0) << result.output;
  mount();
  EXPECT_EQ(read_file(path("f")), "x\n");
}

TEST_F(Lifecycle, MountsWithTheHelperOfMount) {
  unmount();
  const std::string bin = directory_.path("bin");
  ASSERT_EQ(::mkdir(bin.c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(directory_.path("sbin").c_str(), 0755), 0);
  ASSERT_EQ(::symlink(WEIGHTFS_PROGRAM, (bin + "/weightfs").c_str()), 0);
  const std::string helper = directory_.path("sbin/mount.weightfs");
  ASSERT_EQ(::symlink(WEIGHTFS_MOUNT_HELPER, helper.c_str()), 0);
  const ProgramResult result =
      run_program({helper, store(), mount_point(), "-s", "-o", "rw,noatime,nofail,tier=fast"});
  ASSERT_EQ(result.exit_status, 0) << result.output;
  write_file(path("f"), "1");
  EXPECT_EQ(read_file(path("f")), "1");
  const auto remount_as = [&](const std::string& option) {
    return run_program({helper, store(), mount_point(), "-o", "remount," + option}).exit_status;
  };
  ASSERT_EQ(remount_as("ro"), 0);
  EXPECT_EQ(error_of(::truncate(path("f").c_str(), 0)), EROFS);
  ASSERT_EQ(remount_as("rw"), 0);
  EXPECT_EQ(error_of(::truncate(path("f").c_str(), 0)), 0);
}

TEST_F(Lifecycle, TakesMoreFilesThanAShellMayHaveOpen) {
  unmount();
  const std::string command = "ulimit -Sn 64; exec " + std::string(WEIGHTFS_PROGRAM) + " mount " +
                              store() + " " + mount_point() + " -o seal_delay_ms=3600000";
  const ProgramResult result = run_program({"sh", "-c", command});
  ASSERT_EQ(result.exit_status, 0) << result.output;
  for (int i = 0; i < 200; ++i) write_file(path("f" + std::to_string(i)), "content");
  for (int i = 0; i < 200; ++i) EXPECT_EQ(read_file(path("f" + std::to_string(i))), "content");
}

// The descriptors of files that wait for their seal run out: who writes waits for the seals.
TEST_F(Lifecycle, TakesMoreFilesThanItMayHaveOpen) {
  unmount();
  const std::string command = "ulimit -n 128; exec " + std::string(WEIGHTFS_PROGRAM) + " mount " +
                              store() + " " + mount_point() + " -o seal_delay_ms=3600000";
  const ProgramResult result = run_program({"sh", "-c", command});
  ASSERT_EQ(result.exit_status, 0) << result.output;
  for (int i = 0; i < 500; ++i) write_file(path("f" + std::to_string(i)), "content");
  for (int i = 0; i < 500; ++i) EXPECT_EQ(read_file(path("f" + std::to_string(i))), "content");
}

TEST_F(Lifecycle, MountsFromPathsWithSpacesCommasAndGreatLength) {
  const std::string deep = directory_.path("a, b\\c ") + std::string(150, 'd');
  ASSERT_EQ(::mkdir(deep.c_str(), 0755), 0);
  const std::string point = deep + "/mnt";
  ASSERT_EQ(::mkdir(point.c_str(), 0755), 0);
  ProgramResult result = run_weightfs({"mount", deep + "/store", point});
  ASSERT_EQ(result.exit_status, 0) << result.output;
  write_file(point + "/f", "1");
  result = run_weightfs({"sync", point});
  EXPECT_EQ(result.exit_status, 0) << result.output;
  result = run_weightfs({"umount", point});
  EXPECT_EQ(result.exit_status, 0) << result.output;
}

}  // namespace
}  // namespace weightfs::mount
