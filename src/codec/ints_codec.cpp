#include "ints_codec.h"

#include <algorithm>

namespace weightfs::codec {
namespace {

constexpr std::uint32_t kMaxUnitBytes = 4096;
constexpr std::uint8_t kNibbles = static_cast<std::uint8_t>(ColumnKind::nibbles);

std::uint8_t kind_number(const Column& column) {
  return column.kind == ColumnKind::nibbles ? kNibbles : column.low_bits;
}

bool is_same(const Column& a, const Column& b) {
  return a.bytes == b.bytes && kind_number(a) == kind_number(b);
}

void write_columns(const std::vector<Column>& columns, StreamWriter& out) {
  for (std::size_t i = 0; i < columns.size();) {
    std::size_t end = i + 1;
    while (end < columns.size() && is_same(columns[end], columns[i])) ++end;
    out.varint(end - i);
    out.varint(columns[i].bytes);
    out.u8(kind_number(columns[i]));
    i = end;
  }
}

Result<std::vector<Column>> read_columns(ByteReader& in, std::uint32_t unit_bytes) {
  std::vector<Column> columns;
  for (std::uint32_t left = unit_bytes; left > 0;) {
    const std::uint64_t run = in.varint();
    const std::uint64_t bytes = in.varint();
    const std::uint8_t kind = in.u8();
    if (in.failed() || run == 0 || bytes == 0 || run > left || bytes > left / run ||
        kind > kNibbles) {
      return fail(Code::corrupt, "a stream's columns are damaged");
    }
    const Column column = {.bytes = static_cast<std::uint32_t>(bytes),
                           .kind = kind == kNibbles ? ColumnKind::nibbles : ColumnKind::bytes,
                           .low_bits = kind == kNibbles ? std::uint8_t{0} : kind};
    columns.insert(columns.end(), run, column);
    left -= static_cast<std::uint32_t>(run * bytes);
  }
  return columns;
}

// `bytes` bytes of each unit from `offset` on, side by side.
void gather(ByteSpan raw, std::size_t unit_bytes, std::size_t offset, std::size_t bytes,
            std::byte* column) {
  if (bytes == 1) {
    for (std::size_t at = offset; at < raw.size(); at += unit_bytes) *column++ = raw[at];
    return;
  }
  for (std::size_t at = offset; at < raw.size(); at += unit_bytes, column += bytes) {
    std::copy_n(raw.data() + at, bytes, column);
  }
}

void scatter(const std::byte* column, std::size_t unit_bytes, std::size_t offset, std::size_t bytes,
             MutableByteSpan out) {
  if (bytes == 1) {
    for (std::size_t at = offset; at < out.size(); at += unit_bytes) out[at] = *column++;
    return;
  }
  for (std::size_t at = offset; at < out.size(); at += unit_bytes, column += bytes) {
    std::copy_n(column, bytes, out.data() + at);
  }
}

// The width of the second plane, of the low bits; none where all bits are in the first.
unsigned split_bits(const Column& column) {
  return column.kind == ColumnKind::nibbles ? 4 : column.low_bits;
}

void encode_column(MutableByteSpan bytes, const Column& column, const PlaneOptions& options,
                   IntsScratch& scratch, StreamWriter& out, Isa isa) {
  const unsigned low_bits = split_bits(column);
  if (low_bits == 0) {
    PlaneOptions byte_options = options;
    byte_options.expect_random = column.is_random;
    return encode_plane(bytes, byte_options, scratch.coder, out, isa);
  }
  const MutableByteSpan low = scratch.first.get(rans_padded(bytes.size())).first(bytes.size());
  const auto mask = static_cast<std::byte>((1U << low_bits) - 1);
  std::transform(bytes.begin(), bytes.end(), low.begin(), [&](std::byte b) { return b & mask; });
  std::transform(bytes.begin(), bytes.end(), bytes.begin(),
                 [&](std::byte b) { return b >> low_bits; });
  const bool nibbles = column.kind == ColumnKind::nibbles;
  PlaneOptions low_options = options;
  low_options.expect_random = !nibbles;
  encode_plane(nibbles ? low : bytes, options, scratch.coder, out, isa);
  encode_plane(nibbles ? bytes : low, nibbles ? options : low_options, scratch.coder, out, isa);
}

// The column's bytes, borrowed from the scratch or from the stream.
Result<ByteSpan> decode_column(ByteReader& in, std::size_t count, const Column& column,
                               IntsScratch& scratch, Isa isa) {
  WEIGHTFS_ASSIGN(const ByteSpan first, decode_plane(in, count, scratch.first, scratch.coder, isa));
  const unsigned low_bits = split_bits(column);
  if (low_bits == 0) return first;
  WEIGHTFS_ASSIGN(const ByteSpan second,
                  decode_plane(in, count, scratch.second, scratch.coder, isa));
  const bool nibbles = column.kind == ColumnKind::nibbles;
  const ByteSpan high = nibbles ? second : first;
  const ByteSpan low = nibbles ? first : second;
  const MutableByteSpan bytes = scratch.column.get(count);
  std::transform(high.begin(), high.end(), low.begin(), bytes.begin(),
                 [&](std::byte a, std::byte b) { return a << low_bits | b; });
  return ByteSpan(bytes);
}

}  // namespace

void encode_ints(ByteSpan raw, const IntsPlan& plan, const PlaneOptions& options,
                 IntsScratch& scratch, StreamWriter& out, Isa isa) {
  const std::size_t units = raw.size() / plan.unit_bytes;
  const ByteSpan whole = raw.first(units * plan.unit_bytes);
  out.varint(plan.unit_bytes);
  if (units > 0) write_columns(plan.columns, out);
  std::size_t offset = 0;
  for (const Column& column : plan.columns) {
    if (units == 0) break;
    const std::size_t count = units * column.bytes;
    const MutableByteSpan bytes = scratch.column.get(rans_padded(count)).first(count);
    gather(whole, plan.unit_bytes, offset, column.bytes, bytes.data());
    encode_column(bytes, column, options, scratch, out, isa);
    offset += column.bytes;
  }
  out.append(raw.subspan(whole.size()));
}

Status decode_ints(ByteReader& in, MutableByteSpan out, IntsScratch& scratch, Isa isa) {
  const std::uint64_t unit_bytes = in.varint();
  if (in.failed() || unit_bytes == 0 || unit_bytes > kMaxUnitBytes) {
    return fail(Code::corrupt, "a stream's unit is damaged");
  }
  const std::size_t units = out.size() / unit_bytes;
  const MutableByteSpan whole = out.first(units * unit_bytes);
  if (units > 0) {
    WEIGHTFS_ASSIGN(const std::vector<Column> columns,
                    read_columns(in, static_cast<std::uint32_t>(unit_bytes)));
    std::size_t offset = 0;
    for (const Column& column : columns) {
      WEIGHTFS_ASSIGN(const ByteSpan bytes,
                      decode_column(in, units * column.bytes, column, scratch, isa));
      scatter(bytes.data(), unit_bytes, offset, column.bytes, whole);
      offset += column.bytes;
    }
  }
  const MutableByteSpan rest = out.subspan(whole.size());
  const ByteSpan stored = in.bytes(rest.size());
  if (in.failed()) return fail(Code::corrupt, "a stream is cut short");
  std::copy(stored.begin(), stored.end(), rest.begin());
  return {};
}

}  // namespace weightfs::codec
