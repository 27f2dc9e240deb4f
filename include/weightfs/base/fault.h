// Named places at which tests make the machine fail: a kill, an error of the disk, a full disk.
//
// A point does nothing (one relaxed load) until the environment variable WEIGHTFS_FAULT, or arm(),
// names it: "name[:nth[+]][=kill|eio|enospc]". It fires when it is passed for the nth time (the
// first where no number is given), or each time from then on with "+". `kill`, the default, ends
// the process as SIGKILL does; the others make the function that has the point return Code::io or
// Code::no_space. Thread-safe.
#pragma once

#include <atomic>
#include <string_view>

#include "weightfs/base/result.h"

namespace weightfs::fault {

namespace internal {
extern std::atomic<bool> armed;
Status pass(std::string_view name);
}  // namespace internal

// Arms one point, instead of what was armed before. Code::invalid for a text that is no fault.
Status arm(std::string_view text);
void disarm();

// For code that does more on failure than return: the error of an armed point, otherwise success.
inline Status check(std::string_view name) {
  if (!internal::armed.load(std::memory_order_relaxed)) [[likely]]
    return {};
  return internal::pass(name);
}

}  // namespace weightfs::fault

// Returns the error of the named point from the calling function, which returns a Status or Result.
#define WEIGHTFS_FAULT_POINT(name) WEIGHTFS_TRY(::weightfs::fault::check(name))
