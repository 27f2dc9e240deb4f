#include "tf_bundle.h"

#include <fmt/format.h>

#include <charconv>
#include <protozero/pbf_reader.hpp>

#include "bounds.h"
#include "sstable.h"
#include "tf_dtype.h"
#include "tf_slice_name.h"

namespace weightfs::format {
namespace {

// A field's number with its wire type: protozero aborts when a field is read as another type than
// it has, so both are always asked for.
constexpr std::uint32_t varint(std::uint32_t number) {
  return protozero::tag_and_type(number, protozero::pbf_wire_type::varint);
}
constexpr std::uint32_t bytes(std::uint32_t number) {
  return protozero::tag_and_type(number, protozero::pbf_wire_type::length_delimited);
}

protozero::pbf_reader message_of(ByteSpan bytes) {
  const std::string_view text = text_of(bytes);
  return protozero::pbf_reader(text.data(), text.size());
}

// BundleHeaderProto.
void read_header(ByteSpan value, TfBundle& bundle) {
  protozero::pbf_reader message = message_of(value);
  while (message.next()) {
    switch (message.tag_and_type()) {
      case varint(1):
        bundle.shard_count = message.get_uint32();
        break;
      case varint(2):
        bundle.is_big_endian = message.get_enum() == 1;
        break;
      default:
        message.skip();
    }
  }
}

// TensorShapeProto: repeated dimensions, of which field 1 is the size.
std::vector<std::uint64_t> read_shape(protozero::pbf_reader message) {
  std::vector<std::uint64_t> shape;
  using protozero::pbf_wire_type;
  while (message.next(2, pbf_wire_type::length_delimited) && shape.size() <= kMaxDimensions) {
    protozero::pbf_reader dimension = message.get_message();
    shape.push_back(dimension.next(1, pbf_wire_type::varint) ? dimension.get_uint64() : 0);
  }
  return shape;
}

// BundleEntryProto; nothing for a partitioned variable.
std::optional<TfBundleEntry> read_entry(std::string_view key, ByteSpan value) {
  TfBundleEntry entry;
  entry.name = tf_tensor_name(key);
  bool has_slices = false;
  protozero::pbf_reader message = message_of(value);
  while (message.next()) {
    switch (message.tag_and_type()) {
      case varint(1):
        entry.dtype = tf_dtype(static_cast<std::uint64_t>(message.get_enum()));
        break;
      case bytes(2):
        entry.shape = read_shape(message.get_message());
        break;
      case varint(3):
        entry.shard = message.get_uint32();
        break;
      case varint(4):
        entry.offset_bytes = message.get_uint64();
        break;
      case varint(5):
        entry.length_bytes = message.get_uint64();
        break;
      case bytes(7):
        has_slices = true;
        message.skip();
        break;
      default:
        message.skip();
    }
  }
  if (has_slices) return std::nullopt;
  return entry;
}

// The header has the empty key, which sorts before all others.
Status read_entries(const ByteSource& index, TfBundle& bundle) {
  bool is_bundle = true;
  WEIGHTFS_TRY(for_each_sstable_entry(index, [&](std::string_view key, ByteSpan value) {
    if (key.empty()) read_header(value, bundle);
    is_bundle = bundle.shard_count > 0 && bundle.entries.size() < kMaxTensors;
    if (!is_bundle || key.empty()) return is_bundle;
    if (auto entry = read_entry(key, value)) bundle.entries.push_back(*std::move(entry));
    return true;
  }));
  if (!is_bundle) return fail(Code::invalid, "the table has no header of a bundle");
  return {};
}

std::optional<std::uint32_t> number_of(std::string_view digits) {
  std::uint32_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, number);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

}  // namespace

Result<TfBundle> read_tf_bundle(const ByteSource& index) {
  TfBundle bundle;
  try {
    WEIGHTFS_TRY(read_entries(index, bundle));
  } catch (const protozero::exception& exception) {
    return fail(Code::invalid, std::string("an entry is broken: ") + exception.what());
  }
  return bundle;
}

std::optional<TfShardName> parse_tf_shard_name(std::string_view name) {
  constexpr std::string_view kData = ".data-";
  constexpr std::string_view kOf = "-of-";
  const std::size_t data_at = name.rfind(kData);
  const std::size_t of_at = name.rfind(kOf);
  if (data_at == std::string_view::npos || of_at == std::string_view::npos) return std::nullopt;
  const std::size_t number_at = data_at + kData.size();
  if (of_at < number_at) return std::nullopt;
  const auto number = number_of(name.substr(number_at, of_at - number_at));
  const auto count = number_of(name.substr(of_at + kOf.size()));
  if (!number || !count || *number >= *count) return std::nullopt;
  return TfShardName{.prefix = name.substr(0, data_at), .number = *number, .count = *count};
}

std::string tf_shard_name(const TfShardName& name) {
  return fmt::format("{}.data-{:05}-of-{:05}", name.prefix, name.number, name.count);
}

}  // namespace weightfs::format
