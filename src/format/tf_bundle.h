// TensorFlow's tensor bundles: an .index table that says which bytes of which .data shard are which
// tensor. tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/tensor_bundle.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/base/source.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

struct TfBundleEntry {
  std::string name;
  Dtype dtype = Dtype::opaque;
  std::vector<std::uint64_t> shape;
  std::uint32_t shard = 0;
  std::uint64_t offset_bytes = 0;  // in the shard
  std::uint64_t length_bytes = 0;
};

struct TfBundle {
  std::uint32_t shard_count = 0;
  bool is_big_endian = false;
  std::vector<TfBundleEntry> entries;  // without partitioned variables, whose slices are entries
};

// Code::invalid where the table is not a bundle's.
Result<TfBundle> read_tf_bundle(const ByteSource& index);

// A shard's name, "<prefix>.data-<number>-of-<count>", taken apart and put together.
struct TfShardName {
  std::string_view prefix;
  std::uint32_t number = 0;
  std::uint32_t count = 0;
};
std::optional<TfShardName> parse_tf_shard_name(std::string_view name);
std::string tf_shard_name(const TfShardName& name);

}  // namespace weightfs::format
