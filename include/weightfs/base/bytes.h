// Borrowed bytes, and the one cursor with which everything untrusted is parsed.
//
// ByteReader never reads outside of its span: a read that would go past the end fails, sets
// failed() and returns zero or an empty span, and so does everything after it. Callers may read a
// whole record and ask once. ByteWriter appends to a vector that it owns. Both are single-threaded.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weightfs {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;
using ByteVector = std::vector<std::byte>;

// The bytes of a string, and back. Borrowed: valid as long as the argument is.
ByteSpan bytes_of(std::string_view text);
std::string_view text_of(ByteSpan bytes);
std::string to_hex(ByteSpan bytes);

// Borrowed bytes of a trivially copyable element array.
template <class T>
requires std::is_trivially_copyable_v<T> ByteSpan bytes_of_elements(std::span<const T> elements) {
  return std::as_bytes(elements);
}

// An integer or float at `source`, which need not be aligned; the caller has checked the bounds.
template <class T>
requires std::is_trivially_copyable_v<T> T load_unaligned(const std::byte* source) {
  T value;
  std::memcpy(&value, source, sizeof value);
  return value;
}
template <class T>
requires std::is_trivially_copyable_v<T>
void store_unaligned(std::byte* target, T value) {
  std::memcpy(target, &value, sizeof value);
}

template <std::unsigned_integral T>
constexpr T byte_swap(T value) {
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(value));
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

static_assert(std::endian::native == std::endian::little,
              "the store's format is little-endian and is read in place");

// A big-endian 64-bit key, which sorts as the number does.
template <std::unsigned_integral T>
void append_big_endian(std::string& key, T value) {
  const T swapped = byte_swap(value);
  char buffer[sizeof(T)];
  std::memcpy(buffer, &swapped, sizeof(T));
  key.append(buffer, sizeof(T));
}

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  bool at_end() const { return remaining() == 0; }

  template <std::unsigned_integral T>
  T little_endian() {
    const ByteSpan raw = bytes(sizeof(T));
    return raw.empty() ? T{0} : load_unaligned<T>(raw.data());
  }
  template <std::unsigned_integral T>
  T big_endian() {
    return byte_swap(little_endian<T>());
  }
  std::uint8_t u8() { return little_endian<std::uint8_t>(); }
  std::uint16_t u16() { return little_endian<std::uint16_t>(); }
  std::uint32_t u32() { return little_endian<std::uint32_t>(); }
  std::uint64_t u64() { return little_endian<std::uint64_t>(); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  // Unsigned LEB128, at most 10 bytes (protobuf's varint).
  std::uint64_t varint();

  // `count` bytes, borrowed from the span; empty and failed() if they are not there.
  ByteSpan bytes(std::size_t count);
  std::string_view text(std::size_t count) { return text_of(bytes(count)); }
  // Everything that is left.
  ByteSpan rest() { return bytes(remaining()); }
  void skip(std::size_t count) { (void)bytes(count); }
  void seek(std::size_t position);

 private:
  ByteSpan bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

class ByteWriter {
 public:
  template <std::unsigned_integral T>
  void little_endian(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    store_unaligned(bytes_.data() + at, value);
  }
  void u8(std::uint8_t value) { little_endian(value); }
  void u16(std::uint16_t value) { little_endian(value); }
  void u32(std::uint32_t value) { little_endian(value); }
  void u64(std::uint64_t value) { little_endian(value); }
  void i64(std::int64_t value) { little_endian(static_cast<std::uint64_t>(value)); }
  void varint(std::uint64_t value);
  void append(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void text(std::string_view value) { append(bytes_of(value)); }
  // A string with its length before it, as a varint.
  void prefixed_text(std::string_view value) {
    varint(value.size());
    text(value);
  }

  ByteSpan view() const { return bytes_; }
  ByteVector take() { return std::move(bytes_); }

 private:
  ByteVector bytes_;
};

}  // namespace weightfs
