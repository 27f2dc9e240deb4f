#include "delta_escapes.h"

#include <bit>
#include <cstdlib>

namespace weightfs::codec {
namespace {

constexpr unsigned kSign = 0x8000;
constexpr unsigned kMagnitude = 0x7FFF;
constexpr unsigned kLongEscape = 0x80;
constexpr std::size_t kLongEscapeBytes = 3;

// How many representable values of 16 bits `value` lies above `base`, away from zero being up.
int distance_16(unsigned value, unsigned base) {
  const unsigned turned = value ^ (base & kSign);
  const int magnitude = static_cast<int>(turned & kMagnitude);
  const int line = (turned & kSign) != 0 ? -1 - magnitude : magnitude;
  return line - static_cast<int>(base & kMagnitude);
}

// The inverse. Any distance gives some value.
unsigned apply_16(unsigned base, int distance) {
  const int line = static_cast<int>(base & kMagnitude) + distance;
  const unsigned turned = line < 0 ? (static_cast<unsigned>(-1 - line) & kMagnitude) | kSign
                                   : static_cast<unsigned>(line) & kMagnitude;
  return turned ^ (base & kSign);
}

// Calls visit(offset of the value in the block) for each escape, until it returns false.
template <class Visit>
void for_each_escape(const DeltaEscapes& escapes, std::size_t value_bytes, Visit visit) {
  for (std::size_t i = 0; i < escapes.groups.size(); ++i) {
    for (std::uint64_t left = escapes.places[i]; left != 0; left &= left - 1) {
      const auto place = static_cast<std::size_t>(std::countr_zero(left));
      const std::size_t element =
          place / value_bytes + kDeltaGroup / value_bytes * (place % value_bytes);
      if (!visit((escapes.groups[i] * kDeltaGroup + element) * value_bytes)) return;
    }
  }
}

std::byte* put_16(ByteSpan raw, ByteSpan base, std::size_t at, std::byte* next) {
  const auto value = load_unaligned<std::uint16_t>(&raw[at]);
  const int distance = distance_16(value, load_unaligned<std::uint16_t>(&base[at]));
  if (std::abs(distance) <= 127) {
    *next = static_cast<std::byte>(distance);
    return next + 1;
  }
  *next = std::byte{kLongEscape};
  store_unaligned(next + 1, value);
  return next + kLongEscapeBytes;
}

std::uint16_t take_16(ByteReader& stream, ByteSpan base, std::size_t at) {
  const std::uint8_t code = stream.u8();
  if (code == kLongEscape) return stream.u16();
  const auto of_base = load_unaligned<std::uint16_t>(&base[at]);
  return static_cast<std::uint16_t>(apply_16(of_base, static_cast<std::int8_t>(code)));
}

}  // namespace

ByteSpan collect_delta_escapes(ByteSpan raw, ByteSpan base, DeltaFloat format,
                               const DeltaEscapes& escapes, ScratchBuffer& target) {
  const std::size_t value_bytes = delta_value_bytes(format);
  std::size_t count = 0;
  for (const std::uint64_t places : escapes.places) {
    count += static_cast<std::size_t>(std::popcount(places));
  }
  const MutableByteSpan stream =
      target.get(count * (value_bytes == 2 ? kLongEscapeBytes : value_bytes));
  std::byte* next = stream.data();
  for_each_escape(escapes, value_bytes, [&](std::size_t at) {
    if (value_bytes == 2) {
      next = put_16(raw, base, at, next);
    } else {
      next = std::copy_n(&raw[at], value_bytes, next);
    }
    return true;
  });
  return stream.first(static_cast<std::size_t>(next - stream.data()));
}

Status apply_delta_escapes(ByteReader stream, ByteSpan base, DeltaFloat format,
                           const DeltaEscapes& escapes, MutableByteSpan out) {
  const std::size_t value_bytes = delta_value_bytes(format);
  for_each_escape(escapes, value_bytes, [&](std::size_t at) {
    if (value_bytes == 2) {
      store_unaligned(&out[at], take_16(stream, base, at));
    } else {
      const ByteSpan value = stream.bytes(value_bytes);
      std::copy(value.begin(), value.end(), &out[at]);
    }
    return !stream.failed();
  });
  if (stream.failed() || !stream.at_end()) {
    return fail(Code::corrupt, "a delta's escapes do not come out even");
  }
  return {};
}

}  // namespace weightfs::codec
