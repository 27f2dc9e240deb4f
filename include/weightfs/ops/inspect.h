// What is in a model file: format, metadata and tensors. Works on any file, mounted or not, by
// parsing it; what only a store knows (stored bytes, who shares) comes from the daemon where there
// is one.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/ops/progress.h"
#include "weightfs/ops/tensor_statistics.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::ops {

struct InspectedTensor {
  Tensor tensor;
  // What the bytes are called (tensor_content_id()); empty where none lie in this file or nobody
  // asked.
  std::string content_id;
  std::optional<TensorStatistics> statistics;
  std::string no_statistics_reason;
  std::optional<std::uint64_t> stored_bytes;
  std::vector<std::string> shared_with;
};

struct Inspection {
  std::string path;
  std::uint64_t size_bytes = 0;
  std::string format;
  std::string opaque_reason;
  std::uint64_t opaque_bytes = 0;  // headers, padding, and what no parser understood
  std::uint64_t tensor_bytes = 0;  // storages that several tensors view count once
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<InspectedTensor> tensors;
  std::optional<std::uint64_t> stored_bytes;  // of the file, where it lies in a mount
};

struct InspectOptions {
  bool content_ids = true;
  bool statistics = false;
  std::size_t worker_count = 0;  // 0: one per core
  ProgressCallback progress;
};

// Code::invalid for what is not a regular file.
Result<Inspection> inspect_file(const std::string& path, const InspectOptions& options);

// The JSON has format, size, metadata, and tensors with name, dtype, shape, offset, bytes and what
// else is known.
nlohmann::json to_json(const Inspection& inspection);

}  // namespace weightfs::ops
