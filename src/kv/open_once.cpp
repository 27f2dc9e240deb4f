#include "open_once.h"

#include <mutex>
#include <set>

namespace weightfs::kv {
namespace {

std::mutex g_mutex;  // protects g_claimed; a leaf in the lock order
std::set<std::filesystem::path> g_claimed;

}  // namespace

Result<OpenOnce> OpenOnce::claim(const std::string& path) {
  std::error_code error;
  const std::filesystem::path canonical = std::filesystem::canonical(path, error);
  if (error) return fail_errno(error.value(), "can't open " + path);
  const std::lock_guard lock(g_mutex);
  if (!g_claimed.insert(canonical).second) {
    return fail(Code::busy, path + " is already open in this process");
  }
  OpenOnce claim;
  claim.path_ = canonical;
  return claim;
}

OpenOnce::~OpenOnce() {
  if (path_.empty()) return;
  const std::lock_guard lock(g_mutex);
  g_claimed.erase(path_);
}

}  // namespace weightfs::kv
