// Small safetensors files for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace weightfs::testing {

struct NamedTensor {
  std::string name;
  std::string dtype;  // as safetensors names it
  std::vector<std::uint64_t> shape;
  std::string bytes;
};

// The bytes of a safetensors file (huggingface/safetensors, "Format").
inline std::string safetensors(const std::vector<NamedTensor>& tensors,
                               const std::string& metadata = {}) {
  std::string header = "{";
  std::string data;
  if (!metadata.empty()) header += "\"__metadata__\":{" + metadata + "},";
  for (const NamedTensor& tensor : tensors) {
    header += '"' + tensor.name + R"(":{"dtype":")" + tensor.dtype + R"(","shape":[)";
    const char* separator = "";
    for (const std::uint64_t extent : tensor.shape) {
      header += separator + std::to_string(extent);
      separator = ",";
    }
    header += R"(],"data_offsets":[)" + std::to_string(data.size());
    data += tensor.bytes;
    header += ',' + std::to_string(data.size()) + "]},";
  }
  header.back() = '}';
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + data;
}

}  // namespace weightfs::testing
