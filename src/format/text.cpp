#include "text.h"

#include <cstdint>

namespace weightfs::format {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

bool is_continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (byte_at(text, at) & 0xC0U) == 0x80U;
}

// The length that a leading byte announces; 0 for a byte that can't lead (RFC 3629, section 3).
std::size_t announced_length(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

// Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
bool second_byte_is_allowed(std::uint8_t lead, std::uint8_t second) {
  if (lead == 0xE0) return second >= 0xA0;
  if (lead == 0xED) return second < 0xA0;
  if (lead == 0xF0) return second >= 0x90;
  if (lead == 0xF4) return second < 0x90;
  return true;
}

// The length of the valid character at `at`, or 0.
std::size_t character_length(std::string_view text, std::size_t at) {
  const std::size_t length = announced_length(byte_at(text, at));
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text, at + i)) return 0;
  }
  if (length > 2 && !second_byte_is_allowed(byte_at(text, at), byte_at(text, at + 1))) return 0;
  return length;
}

}  // namespace

std::string printable(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kEllipsis = "...";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text, at);
    const std::uint8_t lead = byte_at(text, at);
    const bool is_control = length == 1 && (lead < 0x20 || lead == 0x7F);
    const std::string_view character =
        is_control ? " " : (length == 0 ? kReplacement : text.substr(at, length));
    if (out.size() + character.size() > max_bytes) return out.append(kEllipsis);
    out.append(character);
    at += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace weightfs::format
