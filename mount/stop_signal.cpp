#include "stop_signal.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace weightfs::mount {
namespace {

sigset_t stopping_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

Result<StopSignal> StopSignal::make() {
  const sigset_t set = stopping_signals();
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  UniqueFd raised(::eventfd(0, EFD_CLOEXEC));
  if (!signals || !raised) return fail_errno(errno, "can't make a descriptor for signals");
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return StopSignal(std::move(signals), std::move(raised));
}

StopSignal::~StopSignal() {
  if (!signals_) return;  // moved from
  const sigset_t set = stopping_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void StopSignal::raise() {
  (void)::eventfd_write(raised_.get(), 1);
}

void StopSignal::wait() {
  std::array<pollfd, 2> sources{pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = raised_.get(), .events = POLLIN, .revents = 0}};
  while (::poll(sources.data(), sources.size(), -1) < 0 && errno == EINTR) {
  }
  signalfd_siginfo taken{};  // or it would strike when the mask is lifted
  if ((sources[0].revents & POLLIN) != 0) (void)!::read(signals_.get(), &taken, sizeof taken);
}

}  // namespace weightfs::mount
