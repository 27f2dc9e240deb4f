// Walking protobuf messages of any size where they lie, without reading their payloads.
// https://protobuf.dev/programming-guides/encoding
//
// protozero wants a message in memory; a model of gigabytes is one message. So the large structure
// (down to a tensor's fields) is walked here, and small messages are read whole.
// Single-threaded; a WireFile borrows its source, a WireMessage its file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "source_reader.h"

namespace weightfs::format {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t value = 0;         // of a varint or fixed field
  std::uint64_t offset_bytes = 0;  // in the file, of a field of bytes
  std::uint64_t length_bytes = 0;

  bool is_bytes(std::uint32_t of_number) const {
    return number == of_number && type == WireType::bytes;
  }
  bool is_varint(std::uint32_t of_number) const {
    return number == of_number && type == WireType::varint;
  }
};

// One file, and the work that may be spent on it: at most kMaxFieldCount fields at all depths.
class WireFile {
 public:
  static constexpr std::uint64_t kMaxFieldCount = 10'000'000;

  explicit WireFile(const ByteSource& source) : reader_(source), size_bytes_(source.size_bytes()) {}

  std::uint64_t size_bytes() const { return size_bytes_; }
  bool failed() const { return reader_.failed(); }
  // The bytes of `field`, at most kMaxNameBytes long; longer ones fail.
  std::string text(const WireField& field);
  // The varints of a packed field, or the one of an unpacked; appended to `values`.
  void append_varints(const WireField& field, std::vector<std::uint64_t>& values);

 private:
  friend class WireMessage;
  SourceReader reader_;
  std::uint64_t size_bytes_;
  std::uint64_t fields_left_ = kMaxFieldCount;
};

// The fields of one message, in the file's order.
class WireMessage {
 public:
  // The whole file is the message.
  explicit WireMessage(WireFile& file) : file_(&file), position_(0), end_(file.size_bytes()) {}
  // The message in `field`.
  WireMessage(WireFile& file, const WireField& field)
      : file_(&file),
        position_(field.offset_bytes),
        end_(field.offset_bytes + field.length_bytes) {}

  // The next field; nothing at the end, and nothing with file.failed() where the bytes are not a
  // message.
  std::optional<WireField> next();

 private:
  bool read_payload(WireField& field);

  WireFile* file_;
  std::uint64_t position_;
  std::uint64_t end_;
};

// The first `limit` fields of the file's top-level message; nothing where it is not one that fits
// the file. For detection.
std::optional<std::vector<WireField>> top_level_fields(const ByteSource& source, std::size_t limit);

}  // namespace weightfs::format
