// Object headers: the messages that say what an object is. HDF5 specification, IV.A.
#pragma once

#include <cstdint>
#include <vector>

#include "hdf5_reader.h"

namespace weightfs::format {

// Message types that this reader looks at; numbers are the specification's.
enum class Hdf5MessageType : std::uint16_t {
  dataspace = 0x01,
  link_info = 0x02,
  datatype = 0x03,
  link = 0x06,
  external_files = 0x07,
  layout = 0x08,
  filters = 0x0b,
  attribute = 0x0c,
  continuation = 0x10,
  symbol_table = 0x11,
};

struct Hdf5Message {
  Hdf5MessageType type{};
  std::uint8_t flags = 0;
  std::uint64_t address = 0;  // of its body
  std::uint64_t length_bytes = 0;

  // The body is not here but in another object.
  bool is_shared() const { return (flags & 2) != 0; }
};

// The messages of the object at `address`, at most kMaxMessageCount; empty with reader.failed()
// where there is no header.
constexpr std::size_t kMaxMessageCount = 65536;
std::vector<Hdf5Message> hdf5_messages_of(Hdf5Reader& reader, std::uint64_t address);

// The first message of a type, or nullptr.
const Hdf5Message* find_message(const std::vector<Hdf5Message>& messages, Hdf5MessageType type);

}  // namespace weightfs::format
