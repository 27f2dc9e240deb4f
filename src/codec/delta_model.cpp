#include "delta_model.h"

#include <bit>
#include <iterator>
#include <numeric>

#include "log2_table.h"

namespace weightfs::codec {
namespace {

constexpr unsigned kSymbols = kRansContextSymbols;
constexpr unsigned kMostExponents = 2048;
// Levels below these hardly matter to how contexts share them.
constexpr unsigned kSplitLevels = 12;
// Levels of fewer sampled values are guessed from their neighbours.
constexpr std::uint32_t kFewValues = 4;
// Symbols rarer than this share escape: a code takes a 128th, which costs the others more.
constexpr std::uint32_t kRareShare = 330;

using SymbolCounts = std::array<std::uint32_t, kSymbols>;
using ContextCounts = std::array<SymbolCounts, kRansContexts>;
using SampleLevels = std::array<std::uint8_t, kMaxDeltaSamples>;

// What is known and decided of the values whose base is of one level.
struct Level {
  std::uint32_t count = 0;
  unsigned low_bits = 0;
  bool direct = false;
  std::array<std::uint16_t, 65> lengths{};  // distances by the number of bits of their magnitude
  SymbolCounts symbols{};
};
using Levels = std::array<Level, kDeltaLevels>;

// How often each exponent comes, and how many there are in all.
struct ExponentCounts {
  // A few, since equal neighbours would wait for one another.
  std::array<std::array<std::uint16_t, kMostExponents + 1>, 4> parts;
  unsigned exponents;
  std::size_t total = 0;

  explicit ExponentCounts(unsigned count) : exponents(count) {
    for (auto& part : parts) std::fill_n(part.begin(), exponents, std::uint16_t{0});
  }
  std::uint32_t operator[](unsigned exponent) const {
    std::uint32_t count = 0;
    for (const auto& part : parts) count += part[exponent];
    return count;
  }
  // The exponent above which only one value in `share` lies.
  unsigned high(std::size_t share) const {
    std::size_t above = 0;
    for (unsigned exponent = exponents - 1; exponent > 0; --exponent) {
      above += (*this)[exponent];
      if (above * share > total) return exponent;
    }
    return 0;
  }
};

unsigned top_level_of(const DeltaSamples& samples, const DeltaFormat& format) {
  ExponentCounts counts(format.exponents);
  for (std::size_t i = 0; i < samples.size; i += format.plan_stride, ++counts.total) {
    ++counts.parts[counts.total % 4][samples.base_exponents[i]];
  }
  return counts.high(2000);
}

// The k of which the upper quarter of distances needs more than k + 1 bits, and so a symbol
// takes 2.6 bits or so; or a few more, where that keeps a long tail from escaping.
unsigned choose_low_bits(const Level& level, double escape_bits) {
  unsigned length = 0;
  for (std::uint32_t within = level.lengths[0]; 4 * within < 3 * level.count;) {
    within += level.lengths[++length];
  }
  if (length == 0) return 0;
  constexpr double kCostOfMore[] = {0, 0.1, 0.3, 0.8, 1.6, 2.5};
  const unsigned least = length - 1;
  unsigned best = least;
  double best_cost = 1e300;
  for (unsigned more = 0; more < std::size(kCostOfMore); ++more) {
    std::uint32_t escaping = 0;
    for (unsigned i = least + more + 5; i < level.lengths.size(); ++i) escaping += level.lengths[i];
    const double cost = kCostOfMore[more] + escape_bits * escaping / level.count;
    if (cost < best_cost) {
      best_cost = cost;
      best = least + more;
    }
  }
  return best;
}

void choose_all_low_bits(Levels& levels, const DeltaFormat& format) {
  unsigned guess = 0;
  for (Level& level : levels) {
    // Towards zero, neighbours lie twice as dense from one exponent to the next.
    guess = level.count >= kFewValues ? choose_low_bits(level, format.escape_bits)
                                      : std::min(guess + 1, 62U);
    level.low_bits = guess;
    level.direct = guess > format.most_low_bits;
  }
}

// Values are coded directly where the distance tells less than their own exponent; and, in between
// and below, where it hardly matters, for the sake of one rule.
void choose_direct(Levels& levels, const DeltaFormat& format) {
  bool below = false;
  for (Level& level : levels) {
    if (!level.direct && level.count >= 16) {
      const double escaped = level.symbols[kDeltaEscape] / static_cast<double>(level.count);
      level.direct = level.low_bits + format.escape_bits * escaped > format.direct_bits;
    }
    below = below || (level.direct && level.low_bits > 3);
    level.direct = level.direct || below;
  }
}

void levels_of(const DeltaSamples& samples, unsigned top_level, SampleLevels& levels) {
  for (std::size_t i = 0; i < samples.size; ++i) {
    levels[i] = static_cast<std::uint8_t>(delta_level(samples.base_exponents[i], top_level));
  }
}

// How many bits the magnitude of a distance has, -1 being as large as 0.
std::size_t length_of(std::int64_t distance) {
  const auto magnitude = static_cast<std::uint64_t>(distance ^ (distance >> 63));
  // One more is never zero, for which CPUs have no answer.
  return static_cast<std::size_t>(std::bit_width(2 * magnitude + 1) - 1);
}

Levels decide_levels(const DeltaSamples& samples, const SampleLevels& level_of,
                     const DeltaFormat& format) {
  Levels levels{};
  for (std::size_t i = 0; i < samples.size; i += format.plan_stride) {
    ++levels[level_of[i]].lengths[length_of(samples.distances[i])];
  }
  for (Level& level : levels) {
    level.count = std::accumulate(level.lengths.begin(), level.lengths.end(), 0U);
  }
  choose_all_low_bits(levels, format);
  // Of levels that are coded directly nobody looks at the symbols.
  for (std::size_t i = 0; i < samples.size; ++i) {
    Level& level = levels[level_of[i]];
    ++level.symbols[delta_symbol(samples.distances[i], level.low_bits)];
  }
  for (Level& level : levels) {
    level.count = std::accumulate(level.symbols.begin(), level.symbols.end(), 0U);
  }
  choose_direct(levels, format);
  return levels;
}

double entropy_bits(const SymbolCounts& counts) {
  std::uint32_t total = 0;
  // Two sums, since each addition waits for the one before.
  double sum[2] = {};
  for (unsigned symbol = 0; symbol < kSymbols; ++symbol) {
    total += counts[symbol];
    sum[symbol % 2] += counts[symbol] * log2_of(counts[symbol]);
  }
  return total * log2_of(total) - (sum[0] + sum[1]);
}

void add(const SymbolCounts& from, SymbolCounts& to) {
  for (unsigned symbol = 0; symbol < kSymbols; ++symbol) to[symbol] += from[symbol];
}

// Where contexts 1 and 2 begin.
struct Split {
  unsigned second = 1;
  unsigned third = 2;
};

// The split with which three contexts take the fewest bits.
Split choose_split(const Levels& levels) {
  unsigned size = 0;
  while (size < kSplitLevels && !levels[size].direct) ++size;
  Split split;
  if (size < 3) return split;
  // bits[i][j]: levels i to j - 1 in one context.
  std::array<std::array<double, kSplitLevels + 1>, kSplitLevels> bits{};
  for (unsigned i = 0; i < size; ++i) {
    SymbolCounts merged{};
    for (unsigned j = i; j < size; ++j) {
      add(levels[j].symbols, merged);
      bits[i][j + 1] = entropy_bits(merged);
    }
  }
  double best = 1e300;
  for (unsigned i = 1; i + 1 < size; ++i) {
    for (unsigned j = i + 1; j < size; ++j) {
      const double total = bits[0][i] + bits[i][j] + bits[j][size];
      if (total >= best) continue;
      best = total;
      split = {.second = i, .third = j};
    }
  }
  return split;
}

void write_plan(const Levels& levels, DeltaFit& fit) {
  const Split split = choose_split(levels);
  for (unsigned i = 0; i < kDeltaLevels; ++i) {
    const unsigned context = (i >= split.second ? 1U : 0U) + (i >= split.third ? 1U : 0U);
    fit.plan[i] = {.low_bits = static_cast<std::uint8_t>(levels[i].low_bits),
                   .context = static_cast<std::uint8_t>(context),
                   .direct = levels[i].direct};
    if (levels[i].direct) fit.plan[i] = {.context = kDeltaDirectContext, .direct = true};
  }
}

unsigned direct_symbol(unsigned exponent, unsigned top_exponent) {
  const bool coded = exponent <= top_exponent && top_exponent - exponent < kDeltaEscape;
  return coded ? top_exponent - exponent : kDeltaEscape;
}

void count_direct(const DeltaSamples& samples, const SampleLevels& level_of, const Levels& levels,
                  unsigned exponents, DeltaFit& fit, SymbolCounts& counts) {
  ExponentCounts of_exponent(exponents);
  for (const Level& level : levels) of_exponent.total += level.direct ? level.count : 0;
  if (of_exponent.total == 0) return;
  // Others are counted where nobody looks.
  std::array<std::uint16_t, kDeltaLevels> least{};
  for (unsigned i = 0; i < kDeltaLevels; ++i) {
    least[i] = static_cast<std::uint16_t>(levels[i].direct ? 0 : exponents);
  }
  for (std::size_t i = 0; i < samples.size; ++i) {
    ++of_exponent.parts[i % 4][std::max(samples.exponents[i], least[level_of[i]])];
  }
  fit.top_exponent = of_exponent.high(500);
  for (unsigned exponent = 0; exponent < exponents; ++exponent) {
    counts[direct_symbol(exponent, fit.top_exponent)] += of_exponent[exponent];
  }
}

void escape_rare_symbols(SymbolCounts& counts) {
  std::uint32_t total = 0;
  for (const std::uint32_t count : counts) total += count;
  for (unsigned symbol = 0; symbol < kDeltaEscape; ++symbol) {
    if (counts[symbol] >= total / kRareShare) continue;
    counts[kDeltaEscape] += counts[symbol];
    counts[symbol] = 0;
  }
  counts[kDeltaEscape] = std::max(counts[kDeltaEscape], 1U);
}

double estimate_bits(const ContextCounts& counts, const Levels& levels, const DeltaFit& fit,
                     const DeltaFormat& format) {
  double bits = 0;
  for (unsigned context = 0; context < kRansContexts; ++context) {
    for (unsigned symbol = 0; symbol < kSymbols; ++symbol) {
      const std::uint32_t count = counts[context][symbol];
      if (count > 0) bits += count * (7 - log2_of(fit.contexts.frequency[context][symbol]));
    }
    bits += counts[context][kDeltaEscape] * format.escape_bits;
  }
  for (const Level& level : levels) {
    bits += level.count * (level.direct ? format.direct_bits : level.low_bits);
  }
  return bits;
}

}  // namespace

DeltaFit fit_delta(const DeltaSamples& samples, const DeltaFormat& format) {
  DeltaFit fit;
  fit.top_level = top_level_of(samples, format);
  SampleLevels level_of;
  levels_of(samples, fit.top_level, level_of);
  const Levels levels = decide_levels(samples, level_of, format);
  write_plan(levels, fit);
  ContextCounts counts{};
  for (unsigned i = 0; i < kDeltaLevels; ++i) {
    if (!levels[i].direct) add(levels[i].symbols, counts[fit.plan[i].context]);
  }
  count_direct(samples, level_of, levels, format.exponents, fit, counts[kDeltaDirectContext]);
  for (SymbolCounts& of_context : counts) escape_rare_symbols(of_context);
  fit.contexts = RansContextModel::from_counts(counts);
  fit.bits_per_value =
      estimate_bits(counts, levels, fit, format) / static_cast<double>(samples.size);
  return fit;
}

}  // namespace weightfs::codec
