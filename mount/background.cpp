#include "background.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "weightfs/base/fd.h"
#include "weightfs/base/log.h"

namespace weightfs::mount {
namespace {

// What the pipe from the daemon carries: one byte kReady, or the byte of an error's code and its
// message.
constexpr char kReady = '\0';
constexpr int kFirstCodeByte = 1;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "can't make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // whoever started the daemon has gone
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

Status wait_until_ready(Pipe pipe, pid_t daemon) {
  pipe.write_end.reset();
  const std::string message = read_all(pipe.read_end.get());
  if (!message.empty() && message.front() == kReady) return {};
  int status = 0;
  while (::waitpid(daemon, &status, 0) < 0 && errno == EINTR) {
  }
  if (message.empty()) {
    return fail(Code::io,
                fmt::format("the daemon ended before the mount was ready ({} {})",
                            WIFSIGNALED(status) ? "signal" : "status",
                            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
  }
  return fail(static_cast<Code>(message.front() - kFirstCodeByte), message.substr(1));
}

void leave_terminal() {
  log::to_syslog("weightfs");
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(nothing.get(), standard);
  }
}

[[noreturn]] void be_the_daemon(Pipe pipe, const Serve& serve) {
  pipe.read_end.reset();
  ::setsid();
  if (::chdir("/") != 0) std::exit(EXIT_FAILURE);
  ::umask(S_IRWXG | S_IRWXO);
  UniqueFd& to_parent = pipe.write_end;
  const Status served = serve([&to_parent] {
    leave_terminal();
    write_all(to_parent.get(), std::string_view(&kReady, 1));
    to_parent.reset();
  });
  if (served) std::exit(EXIT_SUCCESS);
  if (to_parent) {
    const char code = static_cast<char>(static_cast<int>(served.error().code) + kFirstCodeByte);
    write_all(to_parent.get(), code + served.error().message);
  } else {
    log::error("{}", served.error().message);
  }
  to_parent.reset();
  std::exit(EXIT_FAILURE);
}

}  // namespace

Status run_in_background(const Serve& serve) {
  WEIGHTFS_ASSIGN(Pipe pipe, make_pipe());
  const pid_t daemon = ::fork();
  if (daemon < 0) return fail_errno(errno, "can't start the daemon");
  if (daemon == 0) be_the_daemon(std::move(pipe), serve);
  return wait_until_ready(std::move(pipe), daemon);
}

}  // namespace weightfs::mount
