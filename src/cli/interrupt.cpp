#include "interrupt.h"

#include <atomic>
#include <csignal>

namespace weightfs::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};
std::atomic<bool> is_raised{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // for the handler

void set_handler(void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  for (const int signal : kSignals) ::sigaction(signal, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
  is_raised = false;
  set_handler([](int) { is_raised = true; }, SA_RESETHAND | SA_RESTART);
}
Interrupt::~Interrupt() {
  set_handler(SIG_DFL, 0);
}
bool Interrupt::raised() {
  return is_raised;
}

}  // namespace weightfs::cli
