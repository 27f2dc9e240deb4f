// TensorFlow.js: shards of raw weights, whose manifest (a JSON file beside them) says what they
// hold.
#include <algorithm>

#include "layout_builder.h"
#include "parsers.h"
#include "tfjs_manifest.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

// Neighbours that are asked whether a file is a shard of theirs.
constexpr int kMaxManifestsAsked = 16;

bool contains(ByteSpan head, std::string_view text) {
  return text_of(head).find(text) != std::string_view::npos;
}

class TfjsManifestParser final : public Parser {
 public:
  std::string_view name() const override { return "tfjs-manifest"; }

  Confidence detect(const ParseInput& input) const override {
    if (input.head.empty() || input.source.size_bytes() > kMaxManifestBytes) {
      return Confidence::none;
    }
    const char first = static_cast<char>(input.head[0]);
    if (first == '[' && contains(input.head, "\"weights\"")) return Confidence::likely;
    const bool is_model = first == '{' && (contains(input.head, "\"weightsManifest\"") ||
                                           contains(input.head, "\"modelTopology\""));
    return is_model ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(const std::vector<TfjsGroup> groups, read_tfjs_manifest(input.source));
    LayoutBuilder builder(name(), input.source.size_bytes());
    for (const TfjsGroup& group : groups) {
      const std::string first_path = group.paths.empty() ? std::string() : group.paths.front();
      for (const TfjsWeight& weight : group.weights) {
        Tensor tensor;
        tensor.name = weight.name;
        tensor.dtype = weight.dtype;
        tensor.shape = weight.shape;
        tensor.note = "external: " + first_path + (group.paths.size() > 1 ? ", ..." : "");
        builder.add_view(std::move(tensor));
      }
    }
    return std::move(builder).finish();
  }
};

// A shard's place in its group.
struct Shard {
  TfjsGroup group;
  std::size_t index = 0;
  std::string manifest_name;
};

std::optional<Shard> shard_in(const ByteSource& manifest, std::string_view file_name) {
  const auto groups = read_tfjs_manifest(manifest);
  if (!groups) return std::nullopt;
  for (const TfjsGroup& group : *groups) {
    const auto path = std::find(group.paths.begin(), group.paths.end(), file_name);
    if (path == group.paths.end()) continue;
    return Shard{.group = group,
                 .index = static_cast<std::size_t>(path - group.paths.begin()),
                 .manifest_name = {}};
  }
  return std::nullopt;
}

std::optional<Shard> find_shard(const ParseInput& input) {
  if (input.neighbours == nullptr || input.name.ends_with(".json")) return std::nullopt;
  int asked_count = 0;
  for (const std::string& neighbour : input.neighbours->names()) {
    // A directory of a tokenizer has large JSON files of other kinds: ask only what may be one.
    if (!neighbour.ends_with("model.json") && !neighbour.ends_with("manifest.json")) continue;
    if (++asked_count > kMaxManifestsAsked) break;
    const auto manifest = input.neighbours->open(neighbour);
    if (manifest == nullptr) continue;
    auto shard = shard_in(*manifest, input.name);
    if (!shard) continue;
    shard->manifest_name = neighbour;
    return shard;
  }
  return std::nullopt;
}

// Where the shard starts in its group's bytes: behind the shards before it, which must be there.
Result<std::uint64_t> group_offset_of(const ParseInput& input, const Shard& shard) {
  std::uint64_t offset_bytes = 0;
  for (std::size_t i = 0; i < shard.index; ++i) {
    const std::string& path = shard.group.paths[i];
    const bool is_name = !path.empty() && path.find('/') == std::string::npos && path != "..";
    const auto before = is_name ? input.neighbours->open(path) : nullptr;
    if (before == nullptr) return fail(Code::invalid, path + " is missing");
    const auto sum = checked_add(offset_bytes, before->size_bytes());
    if (!sum) return fail(Code::invalid, "the shards are too large");
    offset_bytes = *sum;
  }
  return offset_bytes;
}

// Adds the part of a weight that lies in the shard; [begin, end) are the weight's place in the
// group.
class ShardLayout {
 public:
  ShardLayout(LayoutBuilder& builder, std::uint64_t group_offset_bytes, std::uint64_t size_bytes)
      : builder_(builder), begin_(group_offset_bytes), end_(group_offset_bytes + size_bytes) {}

  void add(const TfjsWeight& weight, std::uint64_t weight_begin, std::uint64_t weight_end) {
    const std::uint64_t begin = std::max(begin_, weight_begin);
    const std::uint64_t end = std::min(end_, weight_end);
    if (begin >= end && weight_begin != weight_end) return;
    Tensor tensor;
    tensor.name = weight.name;
    tensor.dtype = weight.dtype;
    tensor.shape = weight.shape;
    tensor.offset_bytes = begin >= end ? 0 : begin - begin_;
    tensor.length_bytes = begin >= end ? 0 : end - begin;
    const std::uint64_t unit_bytes = dtype_layout(weight.dtype).unit_bytes;
    const bool is_whole = begin == weight_begin && end == weight_end;
    if (!is_whole) tensor.note = "in several shards";
    const bool is_aligned = (begin - weight_begin) % unit_bytes == 0;
    if (tensor.length_bytes > 0 && is_aligned) return builder_.add_tensor(std::move(tensor));
    builder_.add_view(std::move(tensor));
  }

 private:
  LayoutBuilder& builder_;
  std::uint64_t begin_;
  std::uint64_t end_;
};

class TfjsShardParser final : public Parser {
 public:
  std::string_view name() const override { return "tfjs"; }

  Confidence detect(const ParseInput& input) const override {
    return find_shard(input) ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const auto shard = find_shard(input);
    if (!shard) return fail(Code::invalid, "there is no manifest");
    WEIGHTFS_ASSIGN(const std::uint64_t offset_bytes, group_offset_of(input, *shard));
    if (!checked_add(offset_bytes, input.source.size_bytes())) {
      return fail(Code::invalid, "the shards are too large");
    }
    LayoutBuilder builder(name(), input.source.size_bytes());
    builder.add_metadata("manifest", shard->manifest_name);
    ShardLayout layout(builder, offset_bytes, input.source.size_bytes());
    std::uint64_t position = 0;
    for (const TfjsWeight& weight : shard->group.weights) {
      const auto length_bytes = tensor_bytes_of(weight.shape, weight.dtype);
      const auto end = length_bytes ? checked_add(position, *length_bytes) : std::nullopt;
      const bool has_length = weight.dtype != Dtype::string && weight.dtype != Dtype::opaque;
      if (!end || !has_length)
        return fail(Code::invalid, "the size of " + weight.name + " is unknown");
      layout.add(weight, position, *end);
      position = *end;
    }
    const bool is_last = shard->index + 1 == shard->group.paths.size();
    if (is_last && position != offset_bytes + input.source.size_bytes()) {
      return fail(Code::invalid, "the shard has another size than its weights");
    }
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& tfjs_manifest_parser() {
  static const TfjsManifestParser kParser;
  return kParser;
}

const Parser& tfjs_shard_parser() {
  static const TfjsShardParser kParser;
  return kParser;
}

}  // namespace weightfs::format
