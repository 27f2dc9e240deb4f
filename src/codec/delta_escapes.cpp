#include "delta_escapes.h"

#include <algorithm>
#include <array>
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
void for_each_escape(const DeltaEscapes& escapes, DeltaFloat format, Isa isa, Visit visit) {
  // First a list: how many a group has no CPU can foresee.
  constexpr std::size_t kGroups = 32;
  std::array<std::uint32_t, kGroups * kDeltaGroup> values;
  const std::size_t value_bytes = delta_value_bytes(format);
  for (std::size_t i = 0; i < escapes.groups.size(); i += kGroups) {
    DeltaEscapesJob job = {.groups = &escapes.groups[i],
                           .escaped = &escapes.places[i],
                           .group_count = std::min(kGroups, escapes.groups.size() - i),
                           .values = values.data()};
    delta_kernels(format, isa).list_escapes(job);
    for (const std::uint32_t* value = values.data(); value != job.values; ++value) {
      if (!visit(*value * value_bytes)) return;
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

// The value at `at`, from `stream`, which becomes shorter; false if there is too little of it.
bool take_16(ByteSpan& stream, ByteSpan base, std::size_t at, MutableByteSpan out) {
  if (stream.empty()) return false;
  const auto code = std::to_integer<std::uint8_t>(stream[0]);
  if (code != kLongEscape) {
    const auto of_base = load_unaligned<std::uint16_t>(&base[at]);
    const unsigned value = apply_16(of_base, static_cast<std::int8_t>(code));
    store_unaligned(&out[at], static_cast<std::uint16_t>(value));
    stream = stream.subspan(1);
    return true;
  }
  if (stream.size() < kLongEscapeBytes) return false;
  store_unaligned(&out[at], load_unaligned<std::uint16_t>(&stream[1]));
  stream = stream.subspan(kLongEscapeBytes);
  return true;
}

bool take_value(ByteSpan& stream, std::size_t value_bytes, std::size_t at, MutableByteSpan out) {
  if (stream.size() < value_bytes) return false;
  std::copy_n(stream.begin(), value_bytes, &out[at]);
  stream = stream.subspan(value_bytes);
  return true;
}

}  // namespace

ByteSpan collect_delta_escapes(ByteSpan raw, ByteSpan base, DeltaFloat format,
                               const DeltaEscapes& escapes, ScratchBuffer& target, Isa isa) {
  const std::size_t value_bytes = delta_value_bytes(format);
  const std::size_t most = escapes.groups.size() * kDeltaGroup;
  const MutableByteSpan stream =
      target.get(most * (value_bytes == 2 ? kLongEscapeBytes : value_bytes));
  std::byte* next = stream.data();
  for_each_escape(escapes, format, isa, [&](std::size_t at) {
    if (value_bytes == 2) {
      next = put_16(raw, base, at, next);
    } else {
      next = std::copy_n(&raw[at], value_bytes, next);
    }
    return true;
  });
  return stream.first(static_cast<std::size_t>(next - stream.data()));
}

Status apply_delta_escapes(ByteSpan stream, ByteSpan base, DeltaFloat format,
                           const DeltaEscapes& escapes, MutableByteSpan out, Isa isa) {
  const std::size_t value_bytes = delta_value_bytes(format);
  bool complete = true;
  for_each_escape(escapes, format, isa, [&](std::size_t at) {
    complete = value_bytes == 2 ? take_16(stream, base, at, out)
                                : take_value(stream, value_bytes, at, out);
    return complete;
  });
  if (!complete || !stream.empty()) {
    return fail(Code::corrupt, "a delta's escapes do not come out even");
  }
  return {};
}

}  // namespace weightfs::codec
