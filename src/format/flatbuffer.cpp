#include "flatbuffer.h"

#include "bounds.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {

std::uint64_t Flatbuffer::root() {
  return follow(0);
}

std::uint64_t Flatbuffer::follow(std::uint64_t position_bytes) {
  return position_bytes + scalar<std::uint32_t>(position_bytes);
}

std::string Flatbuffer::text(std::uint64_t position_bytes, std::uint64_t length_bytes) {
  seek(position_bytes);
  return reader_.text(length_bytes, kMaxNameBytes);
}

bool Flatbuffer::contains(std::uint64_t position_bytes, std::uint64_t length_bytes) {
  if (failed() || !range_fits(position_bytes, length_bytes, reader_.end())) reader_.set_failed();
  return !failed();
}

void Flatbuffer::seek(std::uint64_t position_bytes) {
  if (reads_left_ == 0) return reader_.set_failed();
  --reads_left_;
  reader_.seek(position_bytes);
}

// A table starts with the signed distance back to its vtable.
FlatTable::FlatTable(Flatbuffer& buffer, std::uint64_t position_bytes)
    : buffer_(&buffer), position_(position_bytes) {
  const auto distance = static_cast<std::int32_t>(buffer.scalar<std::uint32_t>(position_bytes));
  vtable_ = position_ - static_cast<std::uint64_t>(std::int64_t{distance});
  vtable_bytes_ = buffer.scalar<std::uint16_t>(vtable_);
}

std::optional<std::uint64_t> FlatTable::field_position(unsigned field) {
  const unsigned slot = 4 + 2 * field;
  if (buffer_->failed() || slot + 2 > vtable_bytes_) return std::nullopt;
  const auto offset = buffer_->scalar<std::uint16_t>(vtable_ + slot);
  if (offset == 0) return std::nullopt;
  return position_ + offset;
}

std::optional<FlatTable> FlatTable::table(unsigned field) {
  const auto position = field_position(field);
  if (!position) return std::nullopt;
  return FlatTable(*buffer_, buffer_->follow(*position));
}

FlatVector FlatTable::vector(unsigned field, std::uint64_t element_bytes) {
  const auto position = field_position(field);
  if (!position) return {};
  const std::uint64_t begin = buffer_->follow(*position);
  const auto count = buffer_->scalar<std::uint32_t>(begin);
  const std::uint64_t length_bytes = std::uint64_t{count} * element_bytes;
  if (!buffer_->contains(begin + 4, length_bytes)) return {};
  return {.offset_bytes = begin + 4, .count = count};
}

FlatTable FlatTable::element(const FlatVector& tables, std::uint32_t index) {
  return FlatTable(*buffer_, buffer_->follow(tables.offset_bytes + 4 * std::uint64_t{index}));
}

std::string FlatTable::text(unsigned field) {
  const FlatVector characters = vector(field, 1);
  return characters.count == 0 ? std::string()
                               : buffer_->text(characters.offset_bytes, characters.count);
}

}  // namespace weightfs::format
