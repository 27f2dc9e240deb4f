#include <nlohmann/json.hpp>

#include "weightfs/ops/diff.h"

namespace weightfs::ops {
namespace {

using nlohmann::json;

json to_json(const Tensor& tensor) {
  return {{"name", tensor.name},
          {"dtype", dtype_name(tensor.dtype)},
          {"shape", tensor.shape},
          {"bytes", tensor.length_bytes}};
}

json to_json(const ValueDistance& distance) {
  json value{{"values", distance.values},
             {"changed_values", distance.changed_values},
             {"relative_rms", distance.relative_rms},
             {"cosine", distance.cosine}};
  if (distance.largest_ulp_step) value["largest_ulp_step"] = *distance.largest_ulp_step;
  return value;
}

json to_json(const TensorChange& change) {
  json value{{"change", change_name(change.kind)}};
  if (change.kind != TensorChangeKind::added) value["a"] = to_json(change.a);
  if (change.kind != TensorChangeKind::removed) value["b"] = to_json(change.b);
  if (change.blocks > 0) {
    value["blocks"] = change.blocks;
    value["changed_blocks"] = change.changed_blocks;
  }
  if (change.distance) value["values"] = to_json(*change.distance);
  return value;
}

json to_json(const MetadataChange& change) {
  json value{{"key", change.key}, {"a", nullptr}, {"b", nullptr}};
  if (change.a) value["a"] = *change.a;
  if (change.b) value["b"] = *change.b;
  return value;
}

}  // namespace

json to_json(const Difference& difference) {
  json value{{"format_a", difference.format_a},
             {"format_b", difference.format_b},
             {"same_bytes", difference.same_bytes},
             {"unchanged_tensors", difference.unchanged_tensors},
             {"tensors", json::array()},
             {"metadata", json::array()}};
  for (const TensorChange& change : difference.tensors) value["tensors"].push_back(to_json(change));
  for (const MetadataChange& change : difference.metadata) {
    value["metadata"].push_back(to_json(change));
  }
  return value;
}

}  // namespace weightfs::ops
