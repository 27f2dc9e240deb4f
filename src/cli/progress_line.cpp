#include "progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "text.h"

namespace weightfs::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kShownAfter = 1s;
constexpr auto kOnTerminalEvery = 100ms;
constexpr auto kElsewhereEvery = 10s;
constexpr std::size_t kBarColumns = 20;
constexpr std::string_view kEraseLine = "\r\x1b[K";

std::string bar(const ops::Progress& progress) {
  if (progress.total_bytes == 0) return "";
  const double done = std::min(
      1.0, static_cast<double>(progress.done_bytes) / static_cast<double>(progress.total_bytes));
  const auto filled = static_cast<std::size_t>(done * kBarColumns);
  return fmt::format("[{}{}] {:3.0f} %  ", std::string(filled, '#'),
                     std::string(kBarColumns - filled, '.'), 100 * done);
}

}  // namespace

std::string progress_text(const ops::Progress& progress, const std::string& noun, double seconds) {
  std::string text = bytes_text(progress.done_bytes);
  if (progress.total_bytes > 0) text += " of " + bytes_text(progress.total_bytes);
  text += ", ";
  if (progress.total_items > 0) {
    text += fmt::format("{} of {}", progress.done_items, count_text(progress.total_items, noun));
  } else {
    text += count_text(progress.done_items, noun);
  }
  if (seconds > 0) {
    const double rate = static_cast<double>(progress.done_bytes) / seconds;
    text += fmt::format(", {:.2f} GB/s", rate / 1e9);
    if (rate > 0 && progress.total_bytes > progress.done_bytes) {
      const auto left = static_cast<double>(progress.total_bytes - progress.done_bytes);
      text += ", " + duration_text(left / rate) + " left";
    }
  }
  const bool saves = progress.stored_bytes > 0 && progress.done_bytes > progress.stored_bytes;
  if (saves) text += ", " + bytes_text(progress.done_bytes - progress.stored_bytes) + " saved";
  return text;
}

ProgressLine::ProgressLine(const Streams& streams, const Options& options)
    : streams_(streams),
      options_(options),
      is_terminal_(&streams.error == &std::cerr && ::isatty(STDERR_FILENO) == 1),
      next_(start_ + kShownAfter) {}

ProgressLine::~ProgressLine() {
  if (is_drawn_ && is_terminal_) streams_.error << kEraseLine << std::flush;
}

ops::ProgressCallback ProgressLine::callback() {
  if (options_.is_quiet) return {};
  return [this](const ops::Progress& progress) { show(progress); };
}

void ProgressLine::show(const ops::Progress& progress) {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (is_terminal_ ? Clock::duration(kOnTerminalEvery) : kElsewhereEvery);
  is_drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const std::string text = progress_text(progress, options_.noun, seconds);
  if (!is_terminal_) {
    streams_.error << text << std::endl;
    return;
  }
  const std::string line = bar(progress) + text + "  " + printable(progress.current);
  const std::size_t width = terminal_width();
  streams_.error << kEraseLine << (width > 1 ? shortened(line, width - 1) : line) << std::flush;
}

}  // namespace weightfs::cli
