#include <nlohmann/json.hpp>

#include "weightfs/ops/inspect.h"

namespace weightfs::ops {
namespace {

using nlohmann::json;

json to_json(const TensorStatistics& statistics) {
  json value{{"count", statistics.count},
             {"mean", statistics.mean},
             {"std", statistics.standard_deviation},
             {"min", statistics.minimum},
             {"max", statistics.maximum},
             {"zeros", statistics.zeros},
             {"nan", statistics.nans},
             {"inf", statistics.infinities},
             {"sparsity", statistics.sparsity()}};
  if (statistics.exponent_entropy_bits) {
    value["exponent_entropy_bits"] = *statistics.exponent_entropy_bits;
  }
  return value;
}

json to_json(const InspectedTensor& inspected) {
  const Tensor& tensor = inspected.tensor;
  json value{{"name", tensor.name},
             {"dtype", dtype_name(tensor.dtype)},
             {"shape", tensor.shape},
             {"offset", tensor.offset_bytes},
             {"bytes", tensor.length_bytes}};
  if (!tensor.strides_elements.empty()) value["strides"] = tensor.strides_elements;
  if (!tensor.note.empty()) value["note"] = tensor.note;
  if (!inspected.content_id.empty()) value["content_id"] = inspected.content_id;
  if (inspected.statistics) value["stats"] = to_json(*inspected.statistics);
  if (!inspected.no_statistics_reason.empty()) {
    value["no_stats"] = inspected.no_statistics_reason;
  }
  if (inspected.stored_bytes) value["stored_bytes"] = *inspected.stored_bytes;
  if (!inspected.shared_with.empty()) value["shared_with"] = inspected.shared_with;
  return value;
}

}  // namespace

json to_json(const Inspection& inspection) {
  json value{{"path", inspection.path},
             {"format", inspection.format},
             {"size", inspection.size_bytes},
             {"opaque_bytes", inspection.opaque_bytes},
             {"tensor_bytes", inspection.tensor_bytes},
             {"metadata", json::object()},
             {"tensors", json::array()}};
  if (!inspection.opaque_reason.empty()) value["opaque_reason"] = inspection.opaque_reason;
  if (inspection.stored_bytes) value["stored_bytes"] = *inspection.stored_bytes;
  for (const auto& [key, text] : inspection.metadata) value["metadata"][key] = text;
  for (const InspectedTensor& inspected : inspection.tensors) {
    value["tensors"].push_back(to_json(inspected));
  }
  return value;
}

}  // namespace weightfs::ops
