#include "weightfs/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <atomic>
#include <memory>

namespace weightfs::log {
namespace {

std::atomic<Level> g_level{Level::info};

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>(
        "weightfs", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("weightfs: %^%l%$: %v");
    made->set_level(spdlog::level::debug);
    return made;
  }();
  return instance;
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void set_level(Level level) {
  g_level = level;
}
Level level() {
  return g_level;
}

void to_syslog(const std::string& identity) {
  auto sink = std::make_shared<spdlog::sinks::syslog_sink_mt>(identity, LOG_PID, LOG_DAEMON, true);
  logger()->sinks().assign(1, std::move(sink));
  logger()->set_pattern("%v");
}

void write(Level line_level, std::string_view line) {
  if (line_level < g_level.load(std::memory_order_relaxed)) return;
  logger()->log(spdlog_level(line_level), "{}", line);
}

}  // namespace weightfs::log
