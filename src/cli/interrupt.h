// SIGINT and SIGTERM as a question that a long command asks now and then.
#pragma once

namespace weightfs::cli {

// While one lives, the first signal only makes raised() true; a second one ends the process as
// ever. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  // From any thread.
  static bool raised();
};

// The exit status of a command that was stopped by SIGINT, as shells have it.
constexpr int kInterrupted = 130;

}  // namespace weightfs::cli
