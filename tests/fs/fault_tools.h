// What tests of faults share.
#pragma once

#include "harness.h"
#include "weightfs/base/fault.h"

namespace weightfs::fs {

// A fault point that is armed as long as this is there.
struct Armed {
  explicit Armed(std::string_view text) { must(fault::arm(text)); }
  ~Armed() { fault::disarm(); }
};

inline Code code_of(const Status& status) {
  return status ? Code::invalid : status.error().code;
}
template <class T>
Code code_of(const Result<T>& result) {
  return result ? Code::invalid : result.error().code;
}

// Nothing is committed or sealed but when it is asked for.
inline FilesystemOptions slow_timers() {
  FilesystemOptions options;
  options.commit_interval_ms = 3'600'000;
  options.seal_delay_ms = 3'600'000;
  return options;
}

}  // namespace weightfs::fs
