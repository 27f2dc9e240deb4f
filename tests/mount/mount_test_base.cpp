#include "mount_test_base.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "weightfs/store/directory.h"

namespace weightfs::mount {
namespace {

// In the child: never returns.
[[noreturn]] void become(const std::vector<std::string>& arguments, int output) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) become(arguments, write_end.get());
  write_end.reset();
  ProgramResult result{.exit_status = -1, .output = read_to_end(read_end.get())};
  int status = 0;
  ::waitpid(child, &status, 0);
  result.exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

ProgramResult run_weightfs(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), WEIGHTFS_PROGRAM);
  return run_program(arguments);
}

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  path_ = std::string(base == nullptr ? "/tmp" : base) + "/weightfs-mount-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) std::abort();
  ::chmod(path_.c_str(), 0755);  // some tests act as other users
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void MountTest::SetUp() {
  ASSERT_EQ(::access("/dev/fuse", R_OK | W_OK), 0)
      << "these tests need /dev/fuse; WEIGHTFS_SKIP_MOUNT=1 sh tests/run.sh goes without";
  ASSERT_EQ(::mkdir(mount_point().c_str(), 0755), 0);
  mount();
}

void MountTest::TearDown() {
  (void)run_weightfs({"umount", mount_point()});
  ::umount2(mount_point().c_str(), MNT_DETACH);
}

void MountTest::mount(const std::string& options) {
  const ProgramResult result = run_weightfs({"mount", store(), mount_point(), "-o", options});
  ASSERT_EQ(result.exit_status, 0) << result.output;
}

void MountTest::unmount() {
  const ProgramResult result = run_weightfs({"umount", mount_point()});
  ASSERT_EQ(result.exit_status, 0) << result.output;
}

void MountTest::remount() {
  unmount();
  mount();
}

void MountTest::seal() {
  const ProgramResult result = run_weightfs({"sync", mount_point()});
  ASSERT_EQ(result.exit_status, 0) << result.output;
}

void MountTest::kill_daemon() {
  const auto pid = store::lock_holder(store());
  ASSERT_TRUE(pid && *pid > 1);
  ASSERT_EQ(::kill(*pid, SIGKILL), 0);
  wait_for_end(*pid);
}

bool is_running(int pid) {
  const auto status = read_whole_file("/proc/" + std::to_string(pid) + "/stat");
  return status && status->find(") Z ") == std::string::npos;  // not one that init has yet to reap
}

void wait_for_end(int pid) {
  while (is_running(pid)) ::usleep(1000);
}

UniqueFd must_open(const std::string& path, int flags, unsigned mode) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  EXPECT_TRUE(fd) << path << ": " << std::strerror(errno);
  return fd;
}

void write_file(const std::string& path, std::string_view content) {
  const UniqueFd fd = must_open(path, O_WRONLY | O_CREAT | O_TRUNC);
  const Status written = write_exactly(fd.get(), 0, bytes_of(content));
  EXPECT_TRUE(written) << written.error().message;
}

std::string read_file(const std::string& path) {
  const auto content = read_whole_file(path);
  EXPECT_TRUE(content) << content.error().message;
  return content.value_or("");
}

struct stat must_stat(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path << ": " << std::strerror(errno);
  return status;
}

std::string noise(std::size_t size_bytes, unsigned seed) {
  std::mt19937 generator(seed);
  std::string bytes(size_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(generator());
  return bytes;
}

int error_of(long outcome) {
  return outcome < 0 ? errno : 0;
}

}  // namespace weightfs::mount
