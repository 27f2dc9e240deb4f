#include "wire.h"

#include "bounds.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {

std::string WireFile::text(const WireField& field) {
  reader_.seek(field.offset_bytes);
  return reader_.text(field.length_bytes, kMaxNameBytes);
}

void WireFile::append_varints(const WireField& field, std::vector<std::uint64_t>& values) {
  if (field.type == WireType::varint) {
    values.push_back(field.value);
    return;
  }
  reader_.seek(field.offset_bytes);
  const ByteVector packed = reader_.bytes(field.length_bytes, kMaxNameBytes);
  ByteReader in(packed);
  while (!in.at_end() && !in.failed()) values.push_back(in.varint());
  if (in.failed()) reader_.set_failed();
}

std::optional<WireField> WireMessage::next() {
  SourceReader& reader = file_->reader_;
  if (reader.failed() || position_ == end_) return std::nullopt;
  if (file_->fields_left_ == 0) reader.set_failed();
  --file_->fields_left_;
  reader.seek(position_);
  const std::uint64_t key = reader.varint();
  WireField field{.number = static_cast<std::uint32_t>(key >> 3),
                  .type = static_cast<WireType>(key & 7)};
  const bool is_number = field.number != 0 && key >> 3 < (1U << 29);
  if (!is_number || !read_payload(field) || reader.failed() || reader.position() > end_) {
    reader.set_failed();
    return std::nullopt;
  }
  position_ = reader.position();
  return field;
}

bool WireMessage::read_payload(WireField& field) {
  SourceReader& reader = file_->reader_;
  switch (field.type) {
    case WireType::varint:
      field.value = reader.varint();
      return true;
    case WireType::fixed64:
      field.value = reader.u64();
      return true;
    case WireType::fixed32:
      field.value = reader.u32();
      return true;
    case WireType::bytes:
      field.length_bytes = reader.varint();
      field.offset_bytes = reader.position();
      reader.skip(field.length_bytes);
      return true;
  }
  return false;  // groups, which no format here uses
}

std::optional<std::vector<WireField>> top_level_fields(const ByteSource& source,
                                                       std::size_t limit) {
  WireFile file(source);
  WireMessage message(file);
  std::vector<WireField> fields;
  while (fields.size() < limit) {
    const auto field = message.next();
    if (!field) break;
    fields.push_back(*field);
  }
  if (file.failed()) return std::nullopt;
  return fields;
}

}  // namespace weightfs::format
