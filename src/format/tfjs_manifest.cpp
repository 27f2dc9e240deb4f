#include "tfjs_manifest.h"

#include <nlohmann/json.hpp>

#include "bounds.h"
#include "numpy_dtype.h"
#include "source_io.h"

namespace weightfs::format {
namespace {

using Json = nlohmann::json;

std::string string_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Dtype dtype_of(const Json& weight) {
  std::string text = string_at(weight, "dtype");
  const auto quantization = weight.find("quantization");
  if (quantization != weight.end() && quantization->is_object()) {
    text = string_at(*quantization, "dtype");
  }
  const auto dtype = parse_numpy_dtype(text);
  return dtype ? dtype->dtype : Dtype::opaque;
}

Result<TfjsWeight> read_weight(const Json& json) {
  if (!json.is_object()) return fail(Code::invalid, "a weight is not an object");
  TfjsWeight weight;
  weight.name = string_at(json, "name");
  weight.dtype = dtype_of(json);
  const auto shape = json.find("shape");
  if (shape == json.end() || !shape->is_array() || shape->size() > kMaxDimensions) {
    return fail(Code::invalid, "weight " + weight.name + " has no shape");
  }
  for (const Json& dimension : *shape) {
    if (!dimension.is_number_unsigned()) return fail(Code::invalid, "a dimension is no number");
    weight.shape.push_back(dimension.get<std::uint64_t>());
  }
  return weight;
}

Result<TfjsGroup> read_group(const Json& json) {
  if (!json.is_object()) return fail(Code::invalid, "a group is not an object");
  const auto paths = json.find("paths");
  const auto weights = json.find("weights");
  const bool has_both = paths != json.end() && paths->is_array() && weights != json.end() &&
                        weights->is_array() && weights->size() <= kMaxTensors;
  if (!has_both) return fail(Code::invalid, "a group has no paths or no weights");
  TfjsGroup group;
  for (const Json& path : *paths) {
    if (!path.is_string()) return fail(Code::invalid, "a path is no text");
    group.paths.push_back(path.get<std::string>());
  }
  for (const Json& json_weight : *weights) {
    WEIGHTFS_ASSIGN(TfjsWeight weight, read_weight(json_weight));
    group.weights.push_back(std::move(weight));
  }
  return group;
}

}  // namespace

Result<std::vector<TfjsGroup>> read_tfjs_manifest(const ByteSource& source) {
  if (source.size_bytes() > kMaxManifestBytes) return fail(Code::invalid, "too large a manifest");
  WEIGHTFS_ASSIGN(const ByteVector text, read_head(source, kMaxManifestBytes));
  const Json json = Json::parse(text_of(text), nullptr, false);
  const Json* groups = &json;
  if (json.is_object() && json.contains("weightsManifest")) groups = &json["weightsManifest"];
  if (!groups->is_array() || groups->empty()) return fail(Code::invalid, "there is no manifest");
  std::vector<TfjsGroup> result;
  for (const Json& json_group : *groups) {
    WEIGHTFS_ASSIGN(TfjsGroup group, read_group(json_group));
    result.push_back(std::move(group));
  }
  return result;
}

}  // namespace weightfs::format
