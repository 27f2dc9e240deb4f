// Small model files, and stores that hold them.
#pragma once

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "../fs/harness.h"
#include "../support/safetensors.h"

namespace weightfs::ops {

using testing::NamedTensor;
using testing::safetensors;

template <class T>
std::string bytes_of_values(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace weightfs::ops
