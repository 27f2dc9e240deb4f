// The index of a sharded model (model.safetensors.index.json, pytorch_model.bin.index.json): which
// shard holds which tensor. The file itself has no tensors; what it says becomes metadata.
#include <map>
#include <nlohmann/json.hpp>

#include "layout_builder.h"
#include "parsers.h"
#include "source_io.h"

namespace weightfs::format {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMaxIndexBytes = 16ULL << 20;
constexpr int kMaxDepth = 16;

// nlohmann's parser keeps its state on the heap, but its values are destroyed recursively: what
// nests deeper than an index does is not made.
Json parse_shallow(std::string_view text) {
  const auto keep = [](int depth, Json::parse_event_t event, const Json&) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    return !opens || depth <= kMaxDepth;
  };
  return Json::parse(text, keep, false);
}

void add_shards(const Json& weight_map, LayoutBuilder& builder) {
  std::map<std::string, std::size_t> tensors_of_shard;
  for (const auto& [tensor, shard] : weight_map.items()) {
    if (shard.is_string()) ++tensors_of_shard[shard.get<std::string>()];
  }
  builder.add_metadata("tensors", std::to_string(weight_map.size()));
  builder.add_metadata("shards", std::to_string(tensors_of_shard.size()));
  for (const auto& [shard, count] : tensors_of_shard) {
    builder.add_metadata(shard, std::to_string(count) + " tensors");
  }
}

class SafetensorsIndexParser final : public Parser {
 public:
  std::string_view name() const override { return "safetensors-index"; }

  Confidence detect(const ParseInput& input) const override {
    const std::string_view text = text_of(input.head);
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos || text[first] != '{') return Confidence::none;
    if (text.find("\"weight_map\"") != std::string_view::npos) return Confidence::certain;
    return input.name.ends_with(".index.json") ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    if (input.source.size_bytes() > kMaxIndexBytes) return fail(Code::invalid, "too large");
    WEIGHTFS_ASSIGN(const ByteVector text, read_range(input.source, 0, input.source.size_bytes()));
    const Json index = parse_shallow(text_of(text));
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
      return fail(Code::invalid, "no weight_map");
    }
    LayoutBuilder builder(name(), input.source.size_bytes());
    if (index.contains("metadata") && index["metadata"].is_object()) {
      for (const auto& [key, value] : index["metadata"].items()) {
        builder.add_metadata(key, value.is_string()
                                      ? value.get<std::string>()
                                      : value.dump(-1, ' ', false, Json::error_handler_t::replace));
      }
    }
    add_shards(index["weight_map"], builder);
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& safetensors_index_parser() {
  static const SafetensorsIndexParser kParser;
  return kParser;
}

}  // namespace weightfs::format
