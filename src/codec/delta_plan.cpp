#include "delta_plan.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "delta_model.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kSampleValues = 4096;
constexpr std::size_t kPieceValues = kDeltaGroup / 2;

// Adds one value (delta_kernels.h has the formulas).
template <class Word>
void add_sample(Word value, Word base, unsigned mantissa_bits, DeltaSamples& samples) {
  constexpr unsigned kSignShift = 8 * sizeof(Word) - 1;
  constexpr auto kMagnitude = static_cast<Word>((Word{1} << kSignShift) - 1);
  const auto turned = static_cast<Word>(value ^ (base & ~kMagnitude));
  const auto sign_mask = static_cast<Word>(Word{0} - (turned >> kSignShift));
  const auto line = static_cast<Word>(turned ^ (sign_mask & kMagnitude));
  const auto distance = static_cast<Word>(line - (base & kMagnitude));
  const std::size_t i = samples.size++;
  samples.distances[i] = static_cast<std::make_signed_t<Word>>(distance);
  samples.base_exponents[i] = static_cast<std::uint16_t>((base & kMagnitude) >> mantissa_bits);
  samples.exponents[i] = static_cast<std::uint16_t>((value & kMagnitude) >> mantissa_bits);
}

// Halves of groups, spread evenly, the first half and the second in turn.
template <class Word>
void take_sample(ByteSpan values, ByteSpan base, std::span<const std::uint32_t> groups,
                 unsigned mantissa_bits, DeltaSamples& samples) {
  const std::size_t step = std::max<std::size_t>(1, groups.size() * kPieceValues / kSampleValues);
  for (std::size_t g = 0, turn = 0; g < groups.size(); g += step, ++turn) {
    const std::size_t first = groups[g] * kDeltaGroup + turn % 2 * kPieceValues;
    if (samples.size + kPieceValues > kMaxDeltaSamples) return;
    for (std::size_t i = first; i < first + kPieceValues; ++i) {
      add_sample(load_unaligned<Word>(&values[sizeof(Word) * i]),
                 load_unaligned<Word>(&base[sizeof(Word) * i]), mantissa_bits, samples);
    }
  }
}

DeltaFormat describe(DeltaFloat format) {
  const unsigned mantissa_bits = delta_mantissa_bits(format);
  const unsigned bits = 8 * static_cast<unsigned>(delta_value_bytes(format));
  const unsigned exponents = 1U << (bits - 1 - mantissa_bits);
  // Of 16 bits an escape takes a distance in a byte, or rarely a value behind one, and its low bits
  // for nothing; of more, the value, and about half of the low bits.
  if (bits == 16) {
    return {.exponents = exponents,
            .plan_stride = 2,
            .direct_bits = mantissa_bits + 1,
            .most_low_bits = std::min(8U, mantissa_bits),
            .escape_bits = 14};
  }
  return {.exponents = exponents,
          .plan_stride = 1,
          .direct_bits = mantissa_bits + 1,
          .most_low_bits = mantissa_bits,
          .escape_bits = bits + mantissa_bits / 2.0};
}

// The limits that a plan implies.
void complete_tables(DeltaTables& tables) {
  tables.most_low_bytes = 0;
  tables.most_odd_bits = 0;
  tables.any_direct = false;
  for (const std::uint8_t plan : tables.plan) {
    const unsigned low_bits = plan & kDeltaLowBitsMask;
    tables.most_low_bytes =
        std::max(tables.most_low_bytes, static_cast<std::uint8_t>(low_bits / 8));
    tables.most_odd_bits = std::max(tables.most_odd_bits, static_cast<std::uint8_t>(low_bits % 8));
    tables.any_direct = tables.any_direct || plan >= kDeltaDirect;
  }
}

void map_codes(const RansContextModel& contexts, DeltaTables& tables) {
  for (unsigned context = 0; context < kRansContexts; ++context) {
    for (unsigned symbol = 0; symbol < kRansContextSymbols; ++symbol) {
      const bool has_code = contexts.frequency[context][symbol] != 0;
      const unsigned first = context * kRansContextSymbols;
      tables.code_map[first + symbol] =
          static_cast<std::uint8_t>(first + (has_code ? symbol : kDeltaEscape));
    }
  }
}

bool is_valid_plan(unsigned plan, unsigned mantissa_bits) {
  const unsigned low_bits = plan & kDeltaLowBitsMask;
  return plan >= kDeltaDirect ? low_bits == mantissa_bits + 1 : low_bits <= mantissa_bits + 1;
}

}  // namespace

DeltaPlan fit_delta_plan(ByteSpan values, ByteSpan base, std::span<const std::uint32_t> groups,
                         DeltaFloat format) {
  DeltaSamples samples;
  const unsigned mantissa_bits = delta_mantissa_bits(format);
  switch (delta_value_bytes(format)) {
    case 2:
      take_sample<std::uint16_t>(values, base, groups, mantissa_bits, samples);
      break;
    case 4:
      take_sample<std::uint32_t>(values, base, groups, mantissa_bits, samples);
      break;
    default:
      take_sample<std::uint64_t>(values, base, groups, mantissa_bits, samples);
  }
  const DeltaFit fit = fit_delta(samples, describe(format));
  DeltaPlan plan;
  plan.tables.top_level = static_cast<std::uint16_t>(fit.top_level);
  plan.tables.top_exponent = static_cast<std::uint16_t>(fit.top_exponent);
  for (unsigned i = 0; i < kDeltaLevels; ++i) {
    const DeltaLevelPlan& level = fit.plan[i];
    const unsigned low_bits = level.direct ? mantissa_bits + 1 : level.low_bits;
    const unsigned context = static_cast<unsigned>(level.context) << kDeltaContextShift;
    plan.tables.plan[i] = static_cast<std::uint8_t>(low_bits | context);
  }
  map_codes(fit.contexts, plan.tables);
  complete_tables(plan.tables);
  plan.contexts = fit.contexts;
  plan.bits_per_value = fit.bits_per_value;
  return plan;
}

void write_delta_plan(const DeltaTables& tables, StreamWriter& out) {
  out.append(bytes_of_elements(std::span(&tables.top_level, 1)));
  out.append(bytes_of_elements(std::span(&tables.top_exponent, 1)));
  for (unsigned i = 0; i < kDeltaLevels;) {
    unsigned end = i + 1;
    while (end < kDeltaLevels && tables.plan[end] == tables.plan[i]) ++end;
    out.u8(tables.plan[i]);
    out.u8(static_cast<std::uint8_t>(end - i));
    i = end;
  }
}

Result<DeltaTables> read_delta_plan(ByteReader& in, DeltaFloat format) {
  const unsigned mantissa_bits = delta_mantissa_bits(format);
  const unsigned exponents = 1U << (8 * delta_value_bytes(format) - 1 - mantissa_bits);
  DeltaTables tables{};
  tables.top_level = in.u16();
  tables.top_exponent = in.u16();
  if (tables.top_level >= exponents || tables.top_exponent >= exponents) {
    return fail(Code::corrupt, "a delta's exponents are damaged");
  }
  for (unsigned i = 0; i < kDeltaLevels;) {
    const std::uint8_t plan = in.u8();
    const unsigned length = in.u8();
    if (length == 0 || length > kDeltaLevels - i || !is_valid_plan(plan, mantissa_bits)) {
      return fail(Code::corrupt, "a delta's plan is damaged");
    }
    std::fill_n(&tables.plan[i], length, plan);
    i += length;
  }
  complete_tables(tables);
  return tables;
}

}  // namespace weightfs::codec
