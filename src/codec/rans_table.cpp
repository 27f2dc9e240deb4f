#include "rans_table.h"

#include <cmath>
#include <iterator>
#include <numeric>

namespace weightfs::codec {
namespace {

// Symbols rarer than this share of a sample escape: a code takes a 128th, which costs the others
// more.
constexpr std::uint32_t kRareShare = 340;
// Bits that a byte takes beside the stream, about (escapes.h).
constexpr double kEscapeBits = 6;

struct Logarithms {
  std::array<double, kRansSlots + 2> of{};
  Logarithms() {
    for (unsigned value = 1; value < of.size(); ++value) of[value] = std::log2(value);
  }
};
const Logarithms kLog2;

// What one more 128th saves, in bits.
double gain(std::uint32_t count, unsigned frequency) {
  return count * (kLog2.of[frequency + 1] - kLog2.of[frequency]);
}

// Gives or takes single 128ths, where it helps most or hurts least, until they add up.
void settle(std::span<const std::uint32_t> counts, std::span<std::uint8_t> frequency) {
  int sum = std::accumulate(frequency.begin(), frequency.end(), 0);
  const int wanted = static_cast<int>(kRansSlots);
  for (; sum != wanted; sum += sum < wanted ? 1 : -1) {
    const bool give = sum < wanted;
    double best = give ? -1.0 : 1e300;
    std::size_t chosen = 0;
    for (std::size_t i = 0; i < frequency.size(); ++i) {
      const unsigned f = frequency[i];
      if (f == 0 || f >= kRansSlots - 1 + (give ? 0U : 1U) || (!give && f == 1)) continue;
      const double change = gain(counts[i], give ? f : f - 1);
      if (give ? change > best : change < best) {
        best = change;
        chosen = i;
      }
    }
    frequency[chosen] = static_cast<std::uint8_t>(frequency[chosen] + (give ? 1 : -1));
  }
}

// The symbols that get a code: those at least `rare` frequent, and of these the 63 most frequent.
std::array<bool, 256> symbols_with_codes(const Histogram& counts, std::uint32_t rare) {
  std::array<std::uint8_t, 256> order{};
  std::size_t size = 0;
  for (unsigned symbol = 0; symbol < 256; ++symbol) {
    if (counts[symbol] >= rare) order[size++] = static_cast<std::uint8_t>(symbol);
  }
  if (size > kRansMaxCodes) {
    const auto more_frequent = [&](std::uint8_t a, std::uint8_t b) {
      return counts[a] != counts[b] ? counts[a] > counts[b] : a < b;
    };
    std::nth_element(order.begin(), order.begin() + kRansMaxCodes,
                     order.begin() + static_cast<std::ptrdiff_t>(size), more_frequent);
    size = kRansMaxCodes;
  }
  std::array<bool, 256> coded{};
  for (std::size_t i = 0; i < size; ++i) coded[order[i]] = true;
  return coded;
}

}  // namespace

void add_to_histogram(ByteSpan symbols, Histogram& histogram) {
  // Four histograms, since equal neighbours would wait for one another.
  std::array<Histogram, 4> parts{};
  std::size_t i = 0;
  for (; i + 4 <= symbols.size(); i += 4) {
    for (std::size_t part = 0; part < 4; ++part) {
      ++parts[part][std::to_integer<std::uint8_t>(symbols[i + part])];
    }
  }
  for (; i < symbols.size(); ++i) ++parts[0][std::to_integer<std::uint8_t>(symbols[i])];
  for (const Histogram& part : parts) {
    for (std::size_t symbol = 0; symbol < 256; ++symbol) histogram[symbol] += part[symbol];
  }
}

SampledHistogram sample_histogram(ByteSpan symbols, std::size_t budget) {
  constexpr std::size_t kPiece = 64;
  SampledHistogram sample;
  const std::size_t step = std::max<std::size_t>(1, symbols.size() / std::max(budget, kPiece));
  if (step == 1) {
    add_to_histogram(symbols, sample.counts);
    sample.total = static_cast<std::uint32_t>(symbols.size());
    sample.complete = true;
    return sample;
  }
  std::array<Histogram, 4> parts{};
  for (std::size_t at = 0; at + kPiece <= symbols.size(); at += kPiece * step) {
    for (std::size_t i = 0; i < kPiece; ++i) {
      ++parts[i % 4][std::to_integer<std::uint8_t>(symbols[at + i])];
    }
    sample.total += kPiece;
  }
  for (const Histogram& part : parts) {
    for (std::size_t symbol = 0; symbol < 256; ++symbol) sample.counts[symbol] += part[symbol];
  }
  return sample;
}

void quantise_frequencies(std::span<const std::uint32_t> counts,
                          std::span<std::uint8_t> frequency) {
  const auto total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  unsigned codes = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::uint64_t share = total == 0 ? 0 : counts[i] * std::uint64_t{kRansSlots} / total;
    frequency[i] =
        counts[i] == 0
            ? std::uint8_t{0}
            : static_cast<std::uint8_t>(std::clamp<std::uint64_t>(share, 1, kRansSlots - 1));
    codes += frequency[i] != 0 ? 1 : 0;
  }
  for (std::size_t i = 0; codes < 2; ++i) {
    if (frequency[i] != 0) continue;
    frequency[i] = 1;
    ++codes;
  }
  settle(counts, frequency);
}

RansTable RansTable::from_sample(const SampledHistogram& sample) {
  const std::uint32_t rare = std::max<std::uint32_t>(1, sample.total / kRareShare);
  const std::array<bool, 256> coded = symbols_with_codes(sample.counts, rare);
  std::array<std::uint32_t, kRansMaxCodes + 1> counts{};
  std::array<std::uint8_t, kRansMaxCodes + 1> frequency{};
  std::array<std::uint8_t, kRansMaxCodes> symbols{};
  std::size_t size = 0;
  std::uint32_t escapes = 0;
  for (unsigned symbol = 0; symbol < 256; ++symbol) {
    if (!coded[symbol]) {
      escapes += sample.counts[symbol];
      continue;
    }
    symbols[size] = static_cast<std::uint8_t>(symbol);
    counts[size++] = sample.counts[symbol];
  }
  if (size == 0) symbols[size++] = 0;
  const bool needs_escape = !sample.complete || escapes > 0 || size < 2;
  counts[size] = needs_escape ? std::max(escapes, 1U) : 0;
  const std::size_t used = size + (needs_escape ? 1 : 0);
  quantise_frequencies(std::span(counts).first(used), std::span(frequency).first(used));

  RansTable table;
  for (std::size_t i = 0; i < size; ++i) table.frequency[symbols[i]] = frequency[i];
  table.escape_frequency = needs_escape ? frequency[size] : std::uint8_t{0};
  return table;
}

std::uint8_t RansTable::escape_symbol() const {
  const auto* found = std::find(frequency.begin(), frequency.end(), std::uint8_t{0});
  return static_cast<std::uint8_t>(found - frequency.begin());
}

double RansTable::estimated_bits(const SampledHistogram& sample) const {
  if (sample.total == 0) return 0;
  double bits = 0;
  const double escape_bits =
      kEscapeBits + (escape_frequency == 0 ? 7 : 7 - kLog2.of[escape_frequency]);
  for (unsigned symbol = 0; symbol < 256; ++symbol) {
    const unsigned f = frequency[symbol];
    bits += sample.counts[symbol] * (f != 0 ? 7 - kLog2.of[f] : escape_bits);
  }
  return bits / sample.total;
}

void RansTable::write(StreamWriter& out) const {
  out.u8(escape_frequency);
  unsigned sum = escape_frequency;
  for (unsigned symbol = 0; sum < kRansSlots;) {
    unsigned gap = 0;
    while (frequency[symbol + gap] == 0) ++gap;
    for (unsigned left = gap; left > 0; left -= std::min(left, 128U)) {
      out.u8(static_cast<std::uint8_t>(127 + std::min(left, 128U)));
    }
    symbol += gap;
    out.u8(frequency[symbol]);
    sum += frequency[symbol++];
  }
}

Result<RansTable> RansTable::read(ByteReader& in) {
  RansTable table;
  table.escape_frequency = in.u8();
  unsigned sum = table.escape_frequency;
  unsigned symbol = 0;
  unsigned codes = 0;
  while (sum < kRansSlots) {
    const unsigned value = in.u8();
    if (in.failed() || value == 0) return fail(Code::corrupt, "a rANS table is damaged");
    if (value > 127) {
      symbol += value - 127;
      continue;
    }
    if (symbol > 255 || ++codes > kRansMaxCodes) {
      return fail(Code::corrupt, "a rANS table has too many symbols");
    }
    table.frequency[symbol++] = static_cast<std::uint8_t>(value);
    sum += value;
  }
  if (in.failed() || sum != kRansSlots || table.escape_frequency == kRansSlots) {
    return fail(Code::corrupt, "a rANS table does not add up");
  }
  return table;
}

RansDecodeTable::RansDecodeTable(const RansTable& table) : escape_symbol(table.escape_symbol()) {
  unsigned slot = 0;
  const auto fill = [&](unsigned value, unsigned count) {
    for (unsigned i = 0; i < count && slot < kRansSlots; ++i, ++slot) {
      frequency[slot] = static_cast<std::uint8_t>(count);
      bias[slot] = static_cast<std::uint8_t>(i);
      symbol[slot] = static_cast<std::uint8_t>(value);
    }
  };
  for (unsigned value = 0; value < 256; ++value) fill(value, table.frequency[value]);
  fill(escape_symbol, table.escape_frequency);
}

RansEncodeTable::RansEncodeTable(const RansTable& table) {
  unsigned codes = 0;
  unsigned slot = 0;
  const auto add = [&](unsigned count) {
    const std::uint16_t reciprocal = rans_reciprocal(count);
    frequency[codes] = static_cast<std::uint8_t>(count);
    start[codes] = static_cast<std::uint8_t>(slot);
    reciprocal_low[codes] = static_cast<std::uint8_t>(reciprocal);
    reciprocal_high[codes] = static_cast<std::uint8_t>(reciprocal >> 8);
    slot += count;
    return static_cast<std::uint8_t>(codes++);
  };
  std::fill(std::begin(code), std::end(code), std::uint8_t{255});
  for (unsigned symbol = 0; symbol < 256; ++symbol) {
    if (table.frequency[symbol] != 0) code[symbol] = add(table.frequency[symbol]);
  }
  // Where nothing escapes, the last code is free, since there are at most 63 others.
  escape_code = table.escape_frequency == 0 ? std::uint8_t{63} : add(table.escape_frequency);
  std::replace(std::begin(code), std::end(code), std::uint8_t{255}, escape_code);
  while (codes < 64) {
    slot = 0;
    add(1);
  }
}

}  // namespace weightfs::codec
