// What ends the daemon: a signal, a request, or the end of its loop. One descriptor tells of all.
#pragma once

#include <csignal>

#include "weightfs/base/fd.h"

namespace weightfs::mount {

// Takes SIGTERM, SIGINT and SIGHUP from the whole process: made before its threads, which inherit
// the mask. The destructor gives them back to its own thread.
class StopSignal {
 public:
  static Result<StopSignal> make();
  StopSignal(StopSignal&&) noexcept = default;
  StopSignal& operator=(StopSignal&&) = delete;
  ~StopSignal();

  // Makes wait() return. From any thread.
  void raise();
  // Returns after a signal, or raise().
  void wait();

 private:
  StopSignal(UniqueFd signals, UniqueFd raised)
      : signals_(std::move(signals)), raised_(std::move(raised)) {}

  UniqueFd signals_;
  UniqueFd raised_;
};

}  // namespace weightfs::mount
