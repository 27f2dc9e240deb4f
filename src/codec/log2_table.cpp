#include "log2_table.h"

#include <array>
#include <cmath>

namespace weightfs::codec {

double log2_of(std::uint32_t value) {
  static const auto table = [] {
    std::array<float, 8193> logs{};
    for (std::size_t i = 1; i < logs.size(); ++i) logs[i] = std::log2(static_cast<float>(i));
    return logs;
  }();
  return value < table.size() ? static_cast<double>(table[value])
                              : std::log2(static_cast<double>(value));
}

}  // namespace weightfs::codec
