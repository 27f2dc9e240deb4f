// Small model files, and stores that hold them.
#pragma once

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "../fs/harness.h"

namespace weightfs::ops {

struct NamedTensor {
  std::string name;
  std::string dtype;  // as safetensors names it
  std::vector<std::uint64_t> shape;
  std::string bytes;
};

template <class T>
std::string bytes_of_values(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// The bytes of a safetensors file (huggingface/safetensors, "Format").
inline std::string safetensors(const std::vector<NamedTensor>& tensors,
                               const std::string& metadata = {}) {
  std::string header = "{";
  std::string data;
  if (!metadata.empty()) header += "\"__metadata__\":{" + metadata + "},";
  for (const NamedTensor& tensor : tensors) {
    header += fmt::format("\"{}\":{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}},",
                          tensor.name, tensor.dtype, fmt::join(tensor.shape, ","), data.size(),
                          data.size() + tensor.bytes.size());
    data += tensor.bytes;
  }
  header.back() = '}';
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + data;
}

inline void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace weightfs::ops
