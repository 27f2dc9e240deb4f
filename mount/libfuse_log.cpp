#include "libfuse_log.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include "fuse.h"
#include "weightfs/base/log.h"

namespace weightfs::mount {
namespace {

std::mutex g_mutex;  // protects what follows; a leaf in the lock order
bool g_collecting = false;
std::string g_collected;

// libfuse hands over printf's arguments.
__attribute__((format(printf, 2, 0))) void take_message(enum fuse_log_level level,
                                                        const char* format, va_list arguments) {
  std::array<char, 1024> line;
  std::vsnprintf(line.data(), line.size(), format, arguments);
  std::string text(line.data());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::lock_guard lock(g_mutex);
  if (g_collecting) {
    g_collected += (g_collected.empty() ? "" : "; ") + text;
  } else if (level <= FUSE_LOG_WARNING) {
    log::warning("libfuse: {}", text);
  }
}

}  // namespace

LibfuseLog::LibfuseLog() {
  const std::lock_guard lock(g_mutex);
  g_collecting = true;
  g_collected.clear();
  fuse_set_log_func(take_message);
}

LibfuseLog::~LibfuseLog() {
  const std::lock_guard lock(g_mutex);
  g_collecting = false;
}

std::string LibfuseLog::text() const {
  const std::lock_guard lock(g_mutex);
  return g_collected.empty() ? "it does not say why" : g_collected;
}

}  // namespace weightfs::mount
