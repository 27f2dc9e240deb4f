// How two model files differ, tensor by tensor, whatever containers they come in.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/ops/progress.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::ops {

enum class TensorChangeKind {
  added,
  removed,
  renamed,    // the same bytes under another name
  changed,    // the same name, dtype and shape; other bytes
  reshaped,   // the same name and dtype, another shape
  recast,     // the same name, another dtype
  reordered,  // the same name, dtype and shape; elements in another order, and not compared
};
std::string_view change_name(TensorChangeKind kind);

// Distance between the values of two tensors of as many elements. Pairs of which one is not finite
// are left out of the sums.
struct ValueDistance {
  std::uint64_t values = 0;
  std::uint64_t changed_values = 0;  // compared as numbers; by bits where both are NaN
  double relative_rms = 0;  // sqrt(sum (b - a)^2 / sum a^2); infinite where only a is all zero
  double cosine = 1;
  // The longest step between two floats of one dtype, in representable numbers.
  std::optional<std::uint64_t> largest_ulp_step;
};

struct TensorChange {
  TensorChangeKind kind = TensorChangeKind::changed;
  Tensor a;  // unset for added
  Tensor b;  // unset for removed
  // Pieces of 256 KiB that differ, and all; where both have as many bytes.
  std::uint64_t changed_blocks = 0;
  std::uint64_t blocks = 0;
  std::optional<ValueDistance> distance;
};

struct MetadataChange {
  std::string key;
  std::optional<std::string> a;
  std::optional<std::string> b;
};

struct Difference {
  std::string format_a;
  std::string format_b;
  std::uint64_t unchanged_tensors = 0;
  std::vector<TensorChange> tensors;  // renamed, changed, reshaped, recast, removed, added
  std::vector<MetadataChange> metadata;
  // Every byte is the same; where it is false and nothing is listed, only opaque bytes or places
  // differ.
  bool same_bytes = false;

  bool same_content() const { return tensors.empty() && metadata.empty(); }
};

struct DiffOptions {
  std::size_t worker_count = 0;  // 0: one per core
  ProgressCallback progress;
};

Result<Difference> diff_files(const std::string& a, const std::string& b,
                              const DiffOptions& options);

nlohmann::json to_json(const Difference& difference);

}  // namespace weightfs::ops
