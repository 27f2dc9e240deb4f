#include "log2_table.h"

#include <array>

namespace weightfs::codec {

const float* log2_table() {
  static const auto table = [] {
    std::array<float, kLog2TableSize> logs{};
    for (std::size_t i = 1; i < logs.size(); ++i) logs[i] = std::log2(static_cast<float>(i));
    return logs;
  }();
  return table.data();
}

}  // namespace weightfs::codec
