#include "ints_plan.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ggml_columns.h"
#include "log2_table.h"
#include "rans_table.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kSampleUnits = 1536;
// A stream's plan, tables and lane states.
constexpr double kPlaneBytes = 120;
// Bits a byte that a plane of its own must save.
constexpr double kWorthASplit = 0.02;
// Symbols rarer than this share escape (rans_table.h), and take so many bits beside the stream.
constexpr std::uint32_t kRareShare = 340;
constexpr double kEscapeBits = 11;

constexpr std::uint32_t kStrides[] = {1, 2, 3, 4, 6, 8};

IntsPlan bytes_apart(std::uint32_t unit_bytes) {
  return {.unit_bytes = unit_bytes, .columns = std::vector<Column>(unit_bytes)};
}

IntsPlan one_column(std::uint32_t unit_bytes, ColumnKind kind) {
  return {.unit_bytes = unit_bytes, .columns = {{.bytes = unit_bytes, .kind = kind}}};
}

double entropy_bits(std::span<const std::uint32_t> counts) {
  std::uint32_t total = 0;
  double sum = 0;
  double distinct = 0;
  for (const std::uint32_t count : counts) {
    if (count == 0) continue;
    ++distinct;
    total += count;
    sum += count * log2_of(count);
  }
  if (total == 0) return 0;
  // With what a small sample makes it too low by (Miller and Madow).
  return log2_of(total) - sum / total + (distinct - 1) / (2 * total * std::log(2.0));
}

// Of one column, from units that are spread evenly.
Histogram sample_column(ByteSpan raw, std::uint32_t unit_bytes, std::size_t offset,
                        const Column& column) {
  Histogram counts{};
  const std::size_t units = raw.size() / unit_bytes;
  const std::size_t wanted = std::max<std::size_t>(64, kSampleUnits / column.bytes);
  const std::size_t step = std::max<std::size_t>(1, units / wanted);
  for (std::size_t unit = 0; unit < units; unit += step) {
    for (const std::byte byte : raw.subspan(unit * unit_bytes + offset, column.bytes)) {
      ++counts[std::to_integer<std::uint8_t>(byte)];
    }
  }
  return counts;
}

Histogram without_low_bits(const Histogram& counts, unsigned low_bits) {
  Histogram high{};
  for (std::size_t value = 0; value < counts.size(); ++value) {
    high[value >> low_bits] += counts[value];
  }
  return high;
}

// Bits a symbol with codes in 128ths: a code takes one at least, those too rare for one escape.
double coded_bits(const Histogram& counts) {
  std::uint32_t total = 0;
  for (const std::uint32_t count : counts) total += count;
  if (total == 0) return 0;
  const auto coded = std::count_if(counts.begin(), counts.end(),
                                   [&](auto n) { return n * kRareShare >= total && n > 0; });
  const std::uint32_t least = coded <= kRansMaxCodes ? total / kRareShare : total / kRansSlots;
  const double slot = total / static_cast<double>(kRansSlots);
  double weight = 0;
  double bits = 0;
  std::uint32_t escaping = 0;
  for (const std::uint32_t count : counts) {
    if (count <= least) {
      escaping += count;
      continue;
    }
    weight += std::max<double>(count, slot);
    bits += count * std::min<double>(7, log2_of(total) - log2_of(count));
  }
  if (escaping > 0) {
    weight += std::max<double>(escaping, slot);
    bits += escaping * (std::min(7.0, log2_of(total) - log2_of(escaping)) + kEscapeBits);
  }
  return bits / total + std::log2(weight / total);
}

// Bits a byte, by the best number of low bits, which is set.
double fit_bytes(const Histogram& counts, Column& column) {
  double best = 1e300;
  for (unsigned low_bits = 0; low_bits < 8; ++low_bits) {
    const double bits = coded_bits(without_low_bits(counts, low_bits)) + low_bits;
    if (bits > best + 1) break;
    if (bits >= best - kWorthASplit) continue;
    best = bits;
    column.low_bits = static_cast<std::uint8_t>(low_bits);
  }
  column.is_random = best >= 8 - kWorthASplit;
  if (column.is_random) column.low_bits = 0;
  return std::min(8.0, best);
}

double nibble_bits(const Histogram& counts) {
  std::array<std::uint32_t, 16> low{};
  std::array<std::uint32_t, 16> high{};
  for (std::size_t value = 0; value < counts.size(); ++value) {
    low[value & 15] += counts[value];
    high[value >> 4] += counts[value];
  }
  return std::min(4.0, entropy_bits(low)) + std::min(4.0, entropy_bits(high));
}

IntsPlan best_stride(ByteSpan raw) {
  constexpr double kMargin = 0.97;  // that a wider stride must win by
  IntsPlan best = bytes_apart(1);
  double best_bytes = fit_plan(raw, best);
  for (const std::uint32_t stride : std::span(kStrides).subspan(1)) {
    if (raw.size() < 64 * stride) break;
    IntsPlan plan = bytes_apart(stride);
    const double bytes = fit_plan(raw, plan);
    if (bytes >= kMargin * best_bytes) continue;
    best_bytes = bytes;
    best = std::move(plan);
  }
  return best;
}

}  // namespace

IntsPlan plan_of_dtype(Dtype dtype, ByteSpan raw) {
  switch (dtype) {
    case Dtype::opaque:
    case Dtype::string:
      return best_stride(raw);
    case Dtype::i4:
    case Dtype::u4:
    case Dtype::f4:
      return one_column(1, ColumnKind::nibbles);
    default:
      break;
  }
  const DtypeLayout layout = dtype_layout(dtype);
  const std::vector<Column> columns = ggml_columns(dtype);
  if (!columns.empty()) return {.unit_bytes = layout.unit_bytes, .columns = columns};
  if (layout.unit_elements == 1 && layout.unit_bytes <= 16) return bytes_apart(layout.unit_bytes);
  return one_column(layout.unit_bytes, ColumnKind::bytes);
}

double fit_plan(ByteSpan raw, IntsPlan& plan) {
  const auto units = static_cast<double>(raw.size() / plan.unit_bytes);
  double bytes = static_cast<double>(raw.size() % plan.unit_bytes);
  std::size_t offset = 0;
  for (Column& column : plan.columns) {
    const Histogram counts = sample_column(raw, plan.unit_bytes, offset, column);
    const double bits =
        column.kind == ColumnKind::nibbles ? nibble_bits(counts) : fit_bytes(counts, column);
    bytes += std::min(bits, 8.0) / 8 * units * column.bytes + (bits < 8 ? kPlaneBytes : 4);
    offset += column.bytes;
  }
  return bytes;
}

}  // namespace weightfs::codec
