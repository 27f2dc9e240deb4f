// How long the layout of each file takes: `format_parse_bench FILE...` prints the format, the
// number of tensors and the best of five runs in milliseconds. The files should be in the page
// cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "weightfs/base/fd.h"
#include "weightfs/format/format.h"

namespace weightfs::format {
namespace {

constexpr int kRuns = 5;

bool measure(const std::string& path) {
  const Result<FdSource> source = FdSource::open(path);
  if (!source) {
    std::fprintf(stderr, "%s\n", source.error().message.c_str());
    return false;
  }
  const std::string name = std::filesystem::path(path).filename().string();
  double best_ms = std::numeric_limits<double>::infinity();
  Layout layout;
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    layout = detect_layout(*source, name);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - begin;
    best_ms = std::min(best_ms, elapsed.count());
  }
  std::printf("%-20s %8zu tensors %10.2f ms  %s %s\n", layout.format.c_str(), layout.tensors.size(),
              best_ms, name.c_str(), layout.opaque_reason.c_str());
  return true;
}

}  // namespace
}  // namespace weightfs::format

int main(int argc, char** argv) {
  bool is_ok = argc > 1;
  for (int i = 1; i < argc; ++i) is_ok = weightfs::format::measure(argv[i]) && is_ok;
  return is_ok ? 0 : 1;
}
