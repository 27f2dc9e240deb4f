// Reading flatbuffers where they lie, every offset checked against the file.
// https://flatbuffers.dev/internals
//
// All positions are of the file. A read that leaves the file sets failed() and gives zero or
// nothing; so does the one after kMaxReadCount reads. Single-threaded; borrows the source.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "source_reader.h"

namespace weightfs::format {

class Flatbuffer {
 public:
  static constexpr std::uint64_t kMaxReadCount = 20'000'000;

  explicit Flatbuffer(const ByteSource& source) : reader_(source) {}

  bool failed() const { return reader_.failed(); }
  std::uint64_t root();

  template <std::unsigned_integral T>
  T scalar(std::uint64_t position_bytes) {
    seek(position_bytes);
    return reader_.little_endian<T>();
  }
  // Where the offset at `position_bytes` leads to.
  std::uint64_t follow(std::uint64_t position_bytes);
  std::string text(std::uint64_t position_bytes, std::uint64_t length_bytes);
  // Whether the range lies within the file; failed() where it doesn't.
  bool contains(std::uint64_t position_bytes, std::uint64_t length_bytes);

 private:
  void seek(std::uint64_t position_bytes);

  SourceReader reader_;
  std::uint64_t reads_left_ = kMaxReadCount;
};

// A vector's elements: `count` of them from `offset_bytes` on.
struct FlatVector {
  std::uint64_t offset_bytes = 0;
  std::uint32_t count = 0;
};

// A table; fields are by their number in the schema, and absent ones give the default.
class FlatTable {
 public:
  FlatTable(Flatbuffer& buffer, std::uint64_t position_bytes);

  bool has(unsigned field) { return field_position(field).has_value(); }
  template <std::unsigned_integral T>
  T scalar(unsigned field, T fallback = 0) {
    const auto position = field_position(field);
    return position ? buffer_->scalar<T>(*position) : fallback;
  }
  std::optional<FlatTable> table(unsigned field);
  // Empty where the field is absent, or where `element_bytes` times its count leaves the file.
  FlatVector vector(unsigned field, std::uint64_t element_bytes);
  // The table at `index` of a vector of tables.
  FlatTable element(const FlatVector& tables, std::uint32_t index);
  std::string text(unsigned field);

 private:
  std::optional<std::uint64_t> field_position(unsigned field);

  Flatbuffer* buffer_;
  std::uint64_t position_;
  std::uint64_t vtable_ = 0;
  std::uint16_t vtable_bytes_ = 0;
};

}  // namespace weightfs::format
