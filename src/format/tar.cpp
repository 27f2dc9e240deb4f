#include "tar.h"

#include <algorithm>
#include <charconv>

#include "bounds.h"
#include "source_io.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr std::uint64_t kBlockBytes = 512;
constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kLengthOffset = 124;
constexpr std::size_t kLengthBytes = 12;
constexpr std::size_t kChecksumOffset = 148;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kTypeOffset = 156;

// Octal digits, ended by a space or a zero byte.
std::optional<std::uint64_t> parse_octal(std::string_view field) {
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// The sum of all bytes, those of the checksum itself taken as spaces.
bool checksum_is_right(std::string_view header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    const bool is_checksum = i >= kChecksumOffset && i < kChecksumOffset + kChecksumBytes;
    sum += is_checksum ? static_cast<std::uint8_t>(' ') : static_cast<std::uint8_t>(header[i]);
  }
  return parse_octal(header.substr(kChecksumOffset, kChecksumBytes)) == sum;
}

bool is_end(std::string_view header) {
  return header.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

bool looks_like_tar(ByteSpan head) {
  const std::string_view text = text_of(head);
  return text.size() >= kBlockBytes && !is_end(text.substr(0, kBlockBytes)) &&
         checksum_is_right(text);
}

Result<std::vector<TarMember>> read_tar_directory(const ByteSource& source) {
  std::vector<TarMember> members;
  std::uint64_t position = 0;
  for (std::size_t count = 0; count < kMaxTensors; ++count) {
    if (!range_fits(position, kBlockBytes, source.size_bytes())) break;
    WEIGHTFS_ASSIGN(const ByteVector block, read_range(source, position, kBlockBytes));
    const std::string_view header = text_of(block);
    if (is_end(header)) break;
    const auto length_bytes = parse_octal(header.substr(kLengthOffset, kLengthBytes));
    position += kBlockBytes;
    if (!checksum_is_right(header) || !length_bytes ||
        !range_fits(position, *length_bytes, source.size_bytes())) {
      return fail(Code::invalid, "a tar member is broken or cut off");
    }
    const std::string_view name = header.substr(0, kNameBytes);
    if (header[kTypeOffset] == '0' || header[kTypeOffset] == '\0') {
      members.push_back({.name = std::string(name.substr(0, name.find('\0'))),
                         .offset_bytes = position,
                         .length_bytes = *length_bytes});
    }
    position += (*length_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  }
  return members;
}

}  // namespace weightfs::format
