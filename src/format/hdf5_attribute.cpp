#include "hdf5_attribute.h"

namespace weightfs::format {
namespace {

constexpr std::uint64_t kMaxTextBytes = 256;
constexpr std::size_t kMaxHeapObjects = 4096;
constexpr std::uint8_t kString = 3;
constexpr std::uint8_t kVariableLength = 9;

constexpr std::uint64_t padded(std::uint64_t length_bytes) {
  return (length_bytes + 7) / 8 * 8;
}

struct Attribute {
  std::string name;
  std::uint8_t type_class = 0;
  std::uint64_t element_bytes = 0;
  std::uint64_t value_address = 0;
};

// In version 1 the name, the type and the dataspace are padded.
Attribute read_attribute(Hdf5Reader& reader, const Hdf5Message& message) {
  reader.seek(message.address);
  const std::uint8_t version = reader.u8();
  reader.skip(1);
  const std::uint64_t name_bytes = reader.u16();
  const std::uint64_t type_bytes = reader.u16();
  const std::uint64_t space_bytes = reader.u16();
  if (version >= 3) reader.skip(1);
  const auto part = [version](std::uint64_t bytes) { return version == 1 ? padded(bytes) : bytes; };
  const std::uint64_t begin = reader.address();
  Attribute attribute;
  if (name_bytes > kMaxTextBytes) return attribute;
  attribute.name = reader.terminated_text();
  reader.seek(begin + part(name_bytes));
  attribute.type_class = reader.u8() & 0x0f;
  reader.skip(3);
  attribute.element_bytes = reader.u32();
  attribute.value_address = begin + part(name_bytes) + part(type_bytes) + part(space_bytes);
  return attribute;
}

// A text in a global heap: a collection of objects, each with its number and size.
std::string heap_text(Hdf5Reader& reader, std::uint64_t collection, std::uint32_t number) {
  reader.seek(collection);
  if (!reader.signature("GCOL")) return {};
  reader.skip(4);
  const std::uint64_t end = collection + reader.size_field();
  for (std::size_t i = 0; i < kMaxHeapObjects && !reader.failed(); ++i) {
    if (reader.address() >= end) break;
    const std::uint16_t own_number = reader.u16();
    reader.skip(6);
    const std::uint64_t length_bytes = reader.size_field();
    if (own_number == 0) break;
    if (own_number == number) return length_bytes <= kMaxTextBytes ? reader.text(length_bytes) : "";
    reader.skip(padded(length_bytes));
  }
  return {};
}

}  // namespace

std::string hdf5_text_attribute(Hdf5Reader& reader, const std::vector<Hdf5Message>& messages,
                                std::string_view name) {
  for (const Hdf5Message& message : messages) {
    if (message.type != Hdf5MessageType::attribute || message.is_shared()) continue;
    const Attribute attribute = read_attribute(reader, message);
    if (reader.failed() || attribute.name != name) continue;
    reader.seek(attribute.value_address);
    if (attribute.type_class == kString && attribute.element_bytes <= kMaxTextBytes) {
      return reader.text(attribute.element_bytes);
    }
    if (attribute.type_class != kVariableLength) continue;
    reader.skip(4);  // the text's length
    const std::uint64_t collection = reader.address_field();
    return heap_text(reader, collection, reader.u32());
  }
  return {};
}

}  // namespace weightfs::format
