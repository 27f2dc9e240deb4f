// Tensors' shapes as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weightfs::cli {

// "[2, 3]"; "[]" for a scalar.
inline std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (const std::uint64_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  text += ']';
  return text;
}

}  // namespace weightfs::cli
