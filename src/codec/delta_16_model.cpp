#include "delta_16_model.h"

#include <algorithm>
#include <array>

#include "delta_16_value.h"
#include "delta_model.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kSampleValues = 4096;
constexpr std::size_t kPieceValues = kDelta16Group / 2;
// A distance in a byte, or rarely a value behind one, and the low bits for nothing.
constexpr double kEscapeBits = 14;

unsigned exponent_of(unsigned value, unsigned mantissa_bits) {
  return (value & kDelta16Magnitude) >> mantissa_bits;
}

struct Sample {
  std::array<DeltaSample, kMaxDeltaSamples> values;
  std::size_t size = 0;
};

// Halves of groups, spread evenly, the first half and the second in turn.
void take_sample(ByteSpan values, ByteSpan base, std::span<const std::uint32_t> groups,
                 unsigned mantissa_bits, Sample& sample) {
  const std::size_t step = std::max<std::size_t>(1, groups.size() * kPieceValues / kSampleValues);
  for (std::size_t g = 0, turn = 0; g < groups.size(); g += step, ++turn) {
    const std::size_t first = groups[g] * kDelta16Group + turn % 2 * kPieceValues;
    for (std::size_t i = first; i < first + kPieceValues; ++i) {
      if (sample.size == sample.values.size()) return;
      const unsigned value = load_unaligned<std::uint16_t>(&values[2 * i]);
      const unsigned of_base = load_unaligned<std::uint16_t>(&base[2 * i]);
      sample.values[sample.size++] = {.distance = delta_16_distance(value, of_base),
                                      .base_exponent = exponent_of(of_base, mantissa_bits),
                                      .exponent = exponent_of(value, mantissa_bits)};
    }
  }
}

// The limits that a plan implies.
void complete_tables(Delta16Tables& tables) {
  tables.max_low_bits = 0;
  tables.any_direct = false;
  for (const std::uint8_t plan : tables.plan) {
    const auto low_bits = static_cast<std::uint8_t>(plan & kDelta16LowBitsMask);
    tables.max_low_bits = std::max(tables.max_low_bits, low_bits);
    tables.any_direct = tables.any_direct || (plan & kDelta16Direct) != 0;
  }
}

void map_symbols(const RansContextModel& contexts, Delta16Tables& tables) {
  for (unsigned context = 0; context < kRansContexts; ++context) {
    for (unsigned symbol = 0; symbol < kRansContextSymbols; ++symbol) {
      const bool has_code = contexts.frequency[context][symbol] != 0;
      tables.symbol_map[context * kRansContextSymbols + symbol] =
          static_cast<std::uint8_t>(has_code ? symbol : kDeltaEscape);
    }
  }
}

bool is_valid_plan(unsigned plan, unsigned mantissa_bits) {
  const unsigned low_bits = plan & kDelta16LowBitsMask;
  const unsigned context = (plan >> kDelta16ContextShift) % kRansContexts;
  if ((plan & 0x10) != 0) return false;
  if ((plan & kDelta16Direct) == 0) {
    return context != kDeltaDirectContext && low_bits <= kDelta16MaxLowBits;
  }
  return context == kDeltaDirectContext && low_bits == mantissa_bits - 7;
}

}  // namespace

Delta16Model fit_delta_16(ByteSpan values, ByteSpan base, std::span<const std::uint32_t> groups,
                          unsigned mantissa_bits) {
  Sample sample;
  take_sample(values, base, groups, mantissa_bits, sample);
  const unsigned direct_low_bits = mantissa_bits - 7;
  const DeltaFit fit =
      fit_delta(std::span(sample.values).first(sample.size),
                {.direct_bits = mantissa_bits + 1,
                 .most_low_bits = std::min(kDelta16MaxLowBits, 7 + direct_low_bits),
                 .escape_bits = kEscapeBits});
  Delta16Model model;
  model.tables.mantissa_bits = static_cast<std::uint8_t>(mantissa_bits);
  model.tables.top_level = static_cast<std::uint8_t>(fit.top_level);
  model.tables.top_exponent = static_cast<std::uint8_t>(fit.top_exponent);
  for (unsigned i = 0; i < kDeltaLevels; ++i) {
    const DeltaLevelPlan& plan = fit.plan[i];
    const unsigned low_bits = plan.direct ? kDelta16Direct | direct_low_bits : plan.low_bits;
    const unsigned context = static_cast<unsigned>(plan.context) << kDelta16ContextShift;
    model.tables.plan[i] = static_cast<std::uint8_t>(low_bits | context);
  }
  map_symbols(fit.contexts, model.tables);
  complete_tables(model.tables);
  model.contexts = fit.contexts;
  model.bits_per_value = fit.bits_per_value;
  return model;
}

void write_delta_16_plan(const Delta16Tables& tables, StreamWriter& out) {
  out.u8(tables.mantissa_bits);
  out.u8(tables.top_level);
  out.u8(tables.top_exponent);
  for (unsigned i = 0; i < kDeltaLevels;) {
    unsigned end = i + 1;
    while (end < kDeltaLevels && tables.plan[end] == tables.plan[i]) ++end;
    out.u8(tables.plan[i]);
    out.u8(static_cast<std::uint8_t>(end - i));
    i = end;
  }
}

Result<Delta16Tables> read_delta_16_plan(ByteReader& in) {
  Delta16Tables tables{};
  tables.mantissa_bits = in.u8();
  tables.top_level = in.u8();
  tables.top_exponent = in.u8();
  if (tables.mantissa_bits != 7 && tables.mantissa_bits != 10) {
    return fail(Code::corrupt, "a 16-bit delta is of no known format");
  }
  for (unsigned i = 0; i < kDeltaLevels;) {
    const std::uint8_t plan = in.u8();
    const unsigned length = in.u8();
    if (length == 0 || length > kDeltaLevels - i || !is_valid_plan(plan, tables.mantissa_bits)) {
      return fail(Code::corrupt, "a 16-bit delta's plan is damaged");
    }
    std::fill_n(&tables.plan[i], length, plan);
    i += length;
  }
  complete_tables(tables);
  return tables;
}

}  // namespace weightfs::codec
