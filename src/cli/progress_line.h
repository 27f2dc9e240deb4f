// A progress bar on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>

#include "weightfs/cli/command.h"
#include "weightfs/ops/progress.h"

namespace weightfs::cli {

// Nothing is shown for the first second: what is done by then needs no bar.
class ProgressLine {
 public:
  struct Options {
    bool is_quiet = false;
    std::string noun = "file";  // what done_items counts
  };
  ProgressLine(const Streams& streams, const Options& options);
  // Takes the bar away.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Empty when nothing would be shown.
  ops::ProgressCallback callback();

 private:
  using Clock = std::chrono::steady_clock;
  void show(const ops::Progress& progress);

  const Streams streams_;
  const Options options_;
  const bool is_terminal_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_;
  bool is_drawn_ = false;
};

// "1.20 GB of 4.00 GB, 3 of 10 files, 1.10 GB/s, 512 MB stored, 3s left": what is known of it.
std::string progress_text(const ops::Progress& progress, const std::string& noun, double seconds);

}  // namespace weightfs::cli
