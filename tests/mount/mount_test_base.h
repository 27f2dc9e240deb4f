// A store of its own for each test, mounted by the program that was built, and always unmounted.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/fd.h"

namespace weightfs::mount {

struct ProgramResult {
  int exit_status = -1;  // 128 + the signal's number, if one ended it
  std::string output;    // of both streams
};

// Runs a program, found in PATH, with `arguments` (the first is its name) and waits for its end.
ProgramResult run_program(const std::vector<std::string>& arguments);
// The weightfs that was built.
ProgramResult run_weightfs(std::vector<std::string> arguments);

bool is_running(int pid);
void wait_for_end(int pid);

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

class MountTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // What a test's mounts are made with, as after -o.
  virtual std::string mount_options() const { return "defaults"; }
  void mount() { mount(mount_options()); }
  void mount(const std::string& options);
  void unmount();
  void remount();
  // Everything written so far is sealed and durable afterwards.
  void seal();
  void kill_daemon();

  std::string store() const { return directory_.path("store"); }
  std::string mount_point() const { return directory_.path("mnt"); }
  // A path in the mount.
  std::string path(std::string_view name) const { return mount_point() + "/" + std::string(name); }

  TemporaryDirectory directory_;
};

// For the tests' own preparations, which must succeed.
UniqueFd must_open(const std::string& path, int flags, unsigned mode = 0644);
void write_file(const std::string& path, std::string_view content);
std::string read_file(const std::string& path);
struct stat must_stat(const std::string& path);
// `size_bytes` that look like nothing in particular, the same for the same seed.
std::string noise(std::size_t size_bytes, unsigned seed);

// The outcome of a system call: 0, or errno.
int error_of(long outcome);

}  // namespace weightfs::mount
