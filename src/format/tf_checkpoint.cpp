// TensorFlow checkpoints: the .index names the tensors, the .data shards hold them.
#include "layout_builder.h"
#include "parsers.h"
#include "shared_extents.h"
#include "sstable.h"
#include "tf_bundle.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kIndexSuffix = ".index";

class TfIndexParser final : public Parser {
 public:
  std::string_view name() const override { return "tf-checkpoint-index"; }

  Confidence detect(const ParseInput& input) const override {
    return looks_like_sstable(input.source) ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(const TfBundle bundle, read_tf_bundle(input.source));
    std::string_view prefix = input.name;
    if (prefix.ends_with(kIndexSuffix)) prefix.remove_suffix(kIndexSuffix.size());
    LayoutBuilder builder(name(), input.source.size_bytes());
    builder.add_metadata("shards", std::to_string(bundle.shard_count));
    for (const TfBundleEntry& entry : bundle.entries) {
      Tensor tensor;
      tensor.name = entry.name;
      tensor.dtype = entry.dtype;
      tensor.shape = entry.shape;
      tensor.note =
          "external: " +
          tf_shard_name({.prefix = prefix, .number = entry.shard, .count = bundle.shard_count});
      builder.add_view(std::move(tensor));
    }
    return std::move(builder).finish();
  }
};

std::shared_ptr<const ByteSource> index_beside(const ParseInput& input) {
  const auto shard = parse_tf_shard_name(input.name);
  if (!shard || input.neighbours == nullptr) return nullptr;
  return input.neighbours->open(std::string(shard->prefix) + std::string(kIndexSuffix));
}

class TfShardParser final : public Parser {
 public:
  std::string_view name() const override { return "tf-checkpoint-shard"; }

  Confidence detect(const ParseInput& input) const override {
    const auto index = index_beside(input);
    return index != nullptr && looks_like_sstable(*index) ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const auto shard = parse_tf_shard_name(input.name);
    const auto index = index_beside(input);
    if (!shard || index == nullptr) return fail(Code::invalid, "there is no index");
    WEIGHTFS_ASSIGN(const TfBundle bundle, read_tf_bundle(*index));
    if (bundle.is_big_endian) return fail(Code::unsupported, "the tensors are big-endian");
    if (bundle.shard_count != shard->count) return fail(Code::invalid, "the index is another's");
    LayoutBuilder builder(name(), input.source.size_bytes());
    SharedExtents extents(builder);
    for (const TfBundleEntry& entry : bundle.entries) {
      if (entry.shard == shard->number) extents.add_tensor(tensor_of(entry));
    }
    return std::move(builder).finish();
  }

 private:
  // What has variable length keeps its bytes and has no rows.
  static Tensor tensor_of(const TfBundleEntry& entry) {
    Tensor tensor;
    tensor.name = entry.name;
    tensor.dtype = entry.dtype;
    tensor.shape = entry.shape;
    tensor.offset_bytes = entry.offset_bytes;
    tensor.length_bytes = entry.length_bytes;
    if (tensor_bytes_of(entry.shape, entry.dtype) != entry.length_bytes) tensor.note = "encoded";
    return tensor;
  }
};

}  // namespace

const Parser& tf_index_parser() {
  static const TfIndexParser kParser;
  return kParser;
}

const Parser& tf_shard_parser() {
  static const TfShardParser kParser;
  return kParser;
}

}  // namespace weightfs::format
