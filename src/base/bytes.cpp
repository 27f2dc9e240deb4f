#include "weightfs/base/bytes.h"

namespace weightfs {

ByteSpan bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string_view text_of(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string to_hex(ByteSpan bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte value : bytes) {
    text.push_back(kDigits[std::to_integer<unsigned>(value) >> 4]);
    text.push_back(kDigits[std::to_integer<unsigned>(value) & 15]);
  }
  return text;
}

ByteSpan ByteReader::bytes(std::size_t count) {
  if (failed_ || count > remaining()) {
    failed_ = true;
    return {};
  }
  const ByteSpan found = bytes_.subspan(position_, count);
  position_ += count;
  return found;
}

void ByteReader::seek(std::size_t position) {
  if (position > bytes_.size()) {
    failed_ = true;
    return;
  }
  position_ = position;
}

std::uint64_t ByteReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t piece = u8();
    if (failed_) return 0;
    value |= static_cast<std::uint64_t>(piece & 0x7F) << shift;
    if ((piece & 0x80) == 0) return value;
  }
  failed_ = true;
  return 0;
}

void ByteWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    u8(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  u8(static_cast<std::uint8_t>(value));
}

}  // namespace weightfs
