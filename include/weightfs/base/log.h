// The process's log: stderr by default, syslog for a daemon. Thread-safe; a line is one event.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace weightfs::log {

enum class Level { debug, info, warning, error };

void set_level(Level level);
// Sends everything that follows to syslog under `identity` (after daemonizing) or to a file.
void to_syslog(const std::string& identity);
Level level();
void write(Level level, std::string_view line);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::debug)
    write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace weightfs::log
