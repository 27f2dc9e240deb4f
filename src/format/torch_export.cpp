#include "torch_export.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "bounds.h"
#include "layout_builder.h"
#include "nested.h"
#include "source_io.h"
#include "torch_tensors.h"

namespace weightfs::format {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kWeightsSuffix = "_weights_config.json";
constexpr std::string_view kConstantsSuffix = "_constants_config.json";

// schema.py's ScalarType, by number.
constexpr std::array kDtypes = {
    std::pair{1, Dtype::u8},           std::pair{2, Dtype::i8},
    std::pair{3, Dtype::i16},          std::pair{4, Dtype::i32},
    std::pair{5, Dtype::i64},          std::pair{6, Dtype::f16},
    std::pair{7, Dtype::f32},          std::pair{8, Dtype::f64},
    std::pair{10, Dtype::c64},         std::pair{11, Dtype::c128},
    std::pair{12, Dtype::boolean},     std::pair{13, Dtype::bf16},
    std::pair{28, Dtype::u16},         std::pair{29, Dtype::f8_e4m3},
    std::pair{30, Dtype::f8_e5m2},     std::pair{31, Dtype::f8_e4m3fnuz},
    std::pair{32, Dtype::f8_e5m2fnuz}, std::pair{33, Dtype::f8_e8m0},
    std::pair{34, Dtype::u32},         std::pair{35, Dtype::u64},
};
constexpr int kComplexHalf = 9;

using Members = std::unordered_map<std::string_view, ByteRange>;

// {"as_int": 3}
std::optional<std::uint64_t> as_int(const Json& json) {
  const auto found = json.is_object() ? json.find("as_int") : json.end();
  if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

std::optional<std::vector<std::uint64_t>> as_ints(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array() || found->size() > kMaxDimensions) {
    return std::nullopt;
  }
  std::vector<std::uint64_t> values;
  for (const Json& item : *found) {
    const auto value = as_int(item);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

void set_dtype(TorchTensor& tensor, const Json& meta) {
  const auto found = meta.find("dtype");
  const int number = found != meta.end() && found->is_number_integer() ? found->get<int>() : 0;
  const auto entry =
      std::ranges::find(kDtypes, number, [](const auto& known) { return known.first; });
  tensor.dtype = entry == kDtypes.end() ? Dtype::opaque : entry->second;
  tensor.item_bytes = number == kComplexHalf ? 4 : 0;
}

std::optional<TorchTensor> tensor_of(const Json& entry, const std::string& folder) {
  const auto path = entry.find("path_name");
  const auto meta = entry.find("tensor_meta");
  if (path == entry.end() || !path->is_string() || meta == entry.end() || !meta->is_object()) {
    return std::nullopt;
  }
  TorchTensor tensor;
  tensor.storage.key = folder + path->get<std::string>();
  auto shape = as_ints(*meta, "sizes");
  const auto strides = as_ints(*meta, "strides");
  if (!shape || !strides || shape->size() != strides->size()) return std::nullopt;
  const auto offset = meta->find("storage_offset");
  tensor.offset_elements = offset == meta->end() ? 0 : as_int(*offset).value_or(0);
  tensor.shape = *std::move(shape);
  set_strides(tensor, *strides);
  set_dtype(tensor, *meta);
  return tensor;
}

// A tensor of a class of its own is a file of torch.save's.
bool is_pickled(const Json& entry) {
  const auto found = entry.find("use_pickle");
  return found != entry.end() && found->is_boolean() && found->get<bool>();
}

void add_pickled(const ParseInput& input, const Members& members, const std::string& key,
                 const std::string& name, LayoutBuilder& builder) {
  const auto found = members.find(key);
  if (found == members.end() || found->second.is_opaque) return;
  const ByteRange& range = found->second;
  const Layout nested = parse_nested(
      input, {.offset_bytes = range.offset_bytes, .length_bytes = range.length_bytes, .name = key});
  builder.add_nested(nested, range.offset_bytes, name);
}

Result<Json> read_config(const ParseInput& input, const ZipMember& member) {
  if (!member.is_stored) return fail(Code::invalid, "the configuration is compressed");
  WEIGHTFS_ASSIGN(const ByteVector text,
                  read_range(input.source, member.offset_bytes, member.length_bytes));
  const Json json = Json::parse(text_of(text), nullptr, false);
  const auto config = json.is_object() ? json.find("config") : json.end();
  if (config == json.end() || !config->is_object()) {
    return fail(Code::invalid, "the configuration is broken");
  }
  return *config;
}

Status add_config(const ParseInput& input, const ZipMember& member, const Members& members,
                  LayoutBuilder& builder) {
  WEIGHTFS_ASSIGN(const Json config, read_config(input, member));
  const std::string folder = member.name.substr(0, member.name.rfind('/') + 1);
  std::vector<TorchTensor> tensors;
  for (const auto& [name, entry] : config.items()) {
    auto tensor = entry.is_object() ? tensor_of(entry, folder) : std::nullopt;
    // Constants are also scripts and other objects.
    if (!tensor) continue;
    tensor->name = name;
    if (is_pickled(entry)) {
      add_pickled(input, members, tensor->storage.key, name, builder);
    } else {
      tensors.push_back(*std::move(tensor));
    }
  }
  const auto locate = [&](std::string_view key) {
    const auto found = members.find(key);
    return found == members.end() ? nullptr : &found->second;
  };
  return add_torch_tensors(std::move(tensors), locate, builder);
}

Members ranges_of(const ParseInput& input, const std::vector<ZipMember>& members) {
  const auto order = std::ranges::find_if(
      members, [](const ZipMember& member) { return member.name.ends_with("/byteorder"); });
  const auto text = order == members.end() || order->length_bytes > 64
                        ? Result<ByteVector>(ByteVector())
                        : read_range(input.source, order->offset_bytes, order->length_bytes);
  const bool is_big_endian = text && text_of(*text).starts_with("big");
  Members ranges;
  for (const ZipMember& member : members) {
    ranges.emplace(member.name, ByteRange{.offset_bytes = member.offset_bytes,
                                          .length_bytes = member.length_bytes,
                                          .is_opaque = !member.is_stored,
                                          .is_big_endian = is_big_endian});
  }
  return ranges;
}

}  // namespace

bool is_torch_export(const std::vector<ZipMember>& members) {
  return std::ranges::any_of(
      members, [](const ZipMember& member) { return member.name.ends_with(kWeightsSuffix); });
}

Result<Layout> torch_export_layout(const ParseInput& input, const std::vector<ZipMember>& members) {
  const Members ranges = ranges_of(input, members);
  LayoutBuilder builder("pytorch-export", input.source.size_bytes());
  builder.add_metadata("members", std::to_string(members.size()));
  for (const ZipMember& member : members) {
    const bool is_config =
        member.name.ends_with(kWeightsSuffix) || member.name.ends_with(kConstantsSuffix);
    if (is_config) WEIGHTFS_TRY(add_config(input, member, ranges, builder));
  }
  return std::move(builder).finish();
}

}  // namespace weightfs::format
