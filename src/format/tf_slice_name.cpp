#include "tf_slice_name.h"

#include <bit>
#include <cstdint>
#include <optional>

#include "bounds.h"

namespace weightfs::format {
namespace {

// Reads codes that sort as what they stand for does. Nothing where they are broken.
class OrderedReader {
 public:
  explicit OrderedReader(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }

  // A byte that counts the bytes of the number behind it.
  std::optional<std::uint64_t> number() {
    const auto length = byte();
    if (!length || *length > 8) return std::nullopt;
    std::uint64_t value = 0;
    for (unsigned i = 0; i < *length; ++i) {
      const auto next = byte();
      if (!next) return std::nullopt;
      value = value << 8 | *next;
    }
    return value;
  }

  // Up to "\0\1"; "\0\xff" is a zero, "\xff\0" is 0xff.
  std::optional<std::string> text() {
    std::string value;
    while (const auto first = byte()) {
      if (*first != 0 && *first != 0xff) {
        value.push_back(static_cast<char>(*first));
        continue;
      }
      const auto second = byte();
      if (!second) return std::nullopt;
      if (*first == 0 && *second == 1) return value;
      value.push_back(static_cast<char>(*first));
    }
    return std::nullopt;
  }

  // Of n bytes: n leading ones, a zero, and the value; all inverted for negative numbers.
  std::optional<std::int64_t> signed_number() {
    if (rest_.empty()) return std::nullopt;
    const bool is_negative = (static_cast<std::uint8_t>(rest_.front()) & 0x80) == 0;
    const std::uint8_t mask = is_negative ? 0xff : 0;
    const auto head = static_cast<std::uint8_t>(static_cast<std::uint8_t>(rest_.front()) ^ mask);
    const int length = std::countl_one(head);
    // Dimensions of more than 2^48 are nobody's.
    if (length > 7) return std::nullopt;
    std::uint64_t value = 0;
    for (int i = 0; i < length; ++i) {
      const auto next = byte();
      if (!next) return std::nullopt;
      value = value << 8 | static_cast<std::uint8_t>(*next ^ mask);
    }
    value &= (std::uint64_t{1} << (7 * length - 1)) - 1;
    return static_cast<std::int64_t>(is_negative ? ~value : value);
  }

 private:
  std::optional<std::uint8_t> byte() {
    if (rest_.empty()) return std::nullopt;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  std::string_view rest_;
};

std::optional<std::string> slice_name(std::string_view key) {
  OrderedReader in(key);
  const auto mark = in.number();
  if (!mark || *mark != 0) return std::nullopt;
  auto name = in.text();
  const auto dimensions = in.number();
  if (!name || !dimensions || *dimensions > kMaxDimensions) return std::nullopt;
  for (std::uint64_t i = 0; i < *dimensions; ++i) {
    const auto start = in.signed_number();
    const auto length = in.signed_number();
    if (!start || !length) return std::nullopt;
    name->append(i == 0 ? "[" : ",");
    // A length of -1 is the whole dimension.
    if (*length >= 0) name->append(std::to_string(*start));
    name->append(":");
    if (*length >= 0) name->append(std::to_string(*start + *length));
  }
  if (!in.at_end()) return std::nullopt;
  return *dimensions > 0 ? name->append("]") : *name;
}

}  // namespace

std::string tf_tensor_name(std::string_view key) {
  if (key.starts_with('\0')) {
    if (auto name = slice_name(key)) return *std::move(name);
  }
  return std::string(key);
}

}  // namespace weightfs::format
