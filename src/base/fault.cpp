#include "weightfs/base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>

namespace weightfs::fault {
namespace internal {
std::atomic<bool> armed{false};
}  // namespace internal

namespace {

enum class Action { kill, eio, enospc };

struct Fault {
  std::string name;
  std::uint64_t nth = 1;
  bool from_then_on = false;
  Action action = Action::kill;
  std::uint64_t passed_count = 0;
};

std::mutex g_mutex;  // protects g_fault; a leaf in the lock order
Fault g_fault;

std::optional<Action> parse_action(std::string_view text) {
  if (text == "kill") return Action::kill;
  if (text == "eio") return Action::eio;
  if (text == "enospc") return Action::enospc;
  return std::nullopt;
}

bool parse_count(std::string_view text, Fault& fault) {
  if (text.ends_with('+')) {
    fault.from_then_on = true;
    text.remove_suffix(1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fault.nth);
  return error == std::errc() && end == text.data() + text.size() && fault.nth > 0;
}

std::optional<Fault> parse_fault(std::string_view text) {
  Fault fault;
  if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
    const auto action = parse_action(text.substr(equals + 1));
    if (!action) return std::nullopt;
    fault.action = *action;
    text = text.substr(0, equals);
  }
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    if (!parse_count(text.substr(colon + 1), fault)) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (text.empty()) return std::nullopt;
  fault.name = text;
  return fault;
}

// The action of the armed fault, if passing `name` now fires it.
std::optional<Action> fires(std::string_view name) {
  const std::lock_guard lock(g_mutex);
  if (g_fault.name != name) return std::nullopt;
  ++g_fault.passed_count;
  const bool is_due = g_fault.passed_count == g_fault.nth ||
                      (g_fault.from_then_on && g_fault.passed_count > g_fault.nth);
  return is_due ? std::optional(g_fault.action) : std::nullopt;
}

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  ::_exit(137);
}

// A wrong text must not make a crash test pass by never crashing.
[[maybe_unused]] const bool g_armed_by_environment = [] {
  const char* text = std::getenv("WEIGHTFS_FAULT");
  if (text == nullptr || *text == '\0') return false;
  if (!arm(text)) std::abort();
  return true;
}();

}  // namespace

namespace internal {

Status pass(std::string_view name) {
  const auto action = fires(name);
  if (!action) return {};
  if (*action == Action::kill) die();
  const std::string what = "fault point " + std::string(name);
  return fail_errno(*action == Action::eio ? EIO : ENOSPC, what);
}

}  // namespace internal

Status arm(std::string_view text) {
  auto fault = parse_fault(text);
  if (!fault) {
    return fail(Code::invalid,
                "no fault: '" + std::string(text) + "'; write name[:nth[+]][=kill|eio|enospc]");
  }
  const std::lock_guard lock(g_mutex);
  g_fault = std::move(*fault);
  internal::armed.store(true, std::memory_order_relaxed);
  return {};
}

void disarm() {
  const std::lock_guard lock(g_mutex);
  internal::armed.store(false, std::memory_order_relaxed);
  g_fault = {};
}

}  // namespace weightfs::fault
