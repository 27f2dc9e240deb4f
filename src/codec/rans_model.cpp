#include "rans_model.h"

#include <cmath>

#include "plane_kernels.h"

namespace weightfs::codec {
namespace {

// Fewer groups than this don't pay for more tables.
static_assert(kSumGroup == kRansGroup);
static_assert(kRansGroup * 255 < 0xFFFF);
constexpr std::size_t kMinGroups = 128;
// Bits a symbol that several tables must promise: they cost 3 / 128 for the groups, their own
// bytes, and time.
constexpr double kMinGain = 0.05;
constexpr double kMinThoroughGain = 0.02;
// Symbols counted for each of several tables.
constexpr std::size_t kBudgetPerTable = 1536;
constexpr std::size_t kThoroughBudgetPerTable = 8192;

// The middle of a distribution: symbols outside of it count as its ends, lest a few zeros hide
// everything else.
struct Range {
  std::uint8_t low;
  std::uint8_t high;
};

Range central_range(const SampledHistogram& sample) {
  const std::uint32_t cut = sample.total / 64;
  unsigned low = 0;
  for (std::uint32_t seen = 0; low < 255; ++low) {
    seen += sample.counts[low];
    if (seen > cut) break;
  }
  unsigned high = 255;
  for (std::uint32_t seen = 0; high > low; --high) {
    seen += sample.counts[high];
    if (seen > cut) break;
  }
  return {static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high)};
}

double variance_of_symbols(const SampledHistogram& sample, Range range) {
  double sum = 0;
  double squares = 0;
  for (unsigned symbol = 0; symbol < 256; ++symbol) {
    const double value = std::clamp<unsigned>(symbol, range.low, range.high) - range.low;
    sum += sample.counts[symbol] * value;
    squares += sample.counts[symbol] * value * value;
  }
  const double mean = sum / sample.total;
  return squares / sample.total - mean * mean;
}

// What knowing a symbol's group tells of it, in bits, as if both were Gaussian: from the part of
// the variance that lies between groups, beyond what chance puts there.
double estimated_gain(std::span<const std::uint16_t> sums, double total_variance) {
  double sum = 0;
  double squares = 0;
  const auto count = static_cast<double>(sums.size());
  for (const std::uint16_t group : sums) {
    const double mean = group / double{kRansGroup};
    sum += mean;
    squares += mean * mean;
  }
  const double of_means = squares / count - sum * sum / (count * count);
  const double between =
      std::max(0.0, (of_means - total_variance / kRansGroup) / (1 - 1 / double{kRansGroup}));
  if (between >= total_variance) return total_variance > 0 ? 8 : 0;
  return -0.5 * std::log2(1 - between / total_variance);
}

// Where a class begins once the levels are sorted.
std::size_t begin_of_class(std::size_t index, std::size_t levels) {
  return index * levels / kRansMaxTables;
}

// Puts at the begin of each class from `first` + 1 to `last` - 1 what sorting would put there.
void sort_at_begins(std::span<std::uint16_t> levels, std::size_t first, std::size_t last) {
  if (last - first < 2) return;
  const std::size_t middle = (first + last) / 2;
  const auto at = [&](std::size_t index) {
    return levels.begin() + static_cast<std::ptrdiff_t>(begin_of_class(index, levels.size()));
  };
  // What begins the first class stays where it is.
  std::nth_element(first == 0 ? at(first) : at(first) + 1, at(middle), at(last));
  sort_at_begins(levels, first, middle);
  sort_at_begins(levels, middle, last);
}

// Sorts groups by level into classes of about equal size. Returns the number of classes in use.
std::size_t classify(std::span<const std::uint16_t> levels,
                     std::vector<std::byte>& class_of_group) {
  std::vector<std::uint16_t> sorted(levels.begin(), levels.end());
  sort_at_begins(sorted, 0, kRansMaxTables);
  constexpr std::uint16_t kNone = 0xFFFF;  // no level is so high
  std::array<std::uint16_t, kRansMaxTables - 1> bounds;
  bounds.fill(kNone);
  std::size_t used = 0;
  for (std::size_t i = 1; i < kRansMaxTables; ++i) {
    const std::uint16_t bound = sorted[begin_of_class(i, sorted.size())];
    if (used == 0 || bounds[used - 1] != bound) bounds[used++] = bound;
  }
  class_of_group.resize(levels.size());
  for (std::size_t i = 0; i < levels.size(); ++i) {
    unsigned below = 0;
    for (const std::uint16_t bound : bounds) below += bound <= levels[i] ? 1 : 0;
    class_of_group[i] = static_cast<std::byte>(below);
  }
  return used + 1;
}

// One histogram for each class, of a piece of each group, so that no class goes without.
void fit_tables(ByteSpan symbols, std::size_t piece, RansModel& model) {
  std::array<SampledHistogram, kRansMaxTables> samples;
  for (std::size_t group = 0; group < model.table_of_group.size(); ++group) {
    SampledHistogram& sample = samples[std::to_integer<std::size_t>(model.table_of_group[group])];
    const std::size_t start = group * kRansGroup;
    const std::size_t size = std::min(kRansGroup, symbols.size() - start);
    const std::size_t taken = std::min(size, piece);
    const std::size_t offset = (group * piece) % (size - taken + 1);
    for (const std::byte symbol : symbols.subspan(start + offset, taken)) {
      ++sample.counts[std::to_integer<std::size_t>(symbol)];
    }
    sample.total += static_cast<std::uint32_t>(taken);
  }
  for (std::size_t i = 0; i < model.table_count; ++i) {
    model.tables[i] = RansTable::from_sample(samples[i]);
  }
}

}  // namespace

RansModel choose_rans_model(ByteSpan symbols, const SampledHistogram& sample, bool thorough,
                            Isa isa) {
  RansModel model;
  const std::size_t groups = symbols.size() / kRansGroup;
  if (groups >= kMinGroups) {
    const Range range = central_range(sample);
    std::vector<std::uint16_t> sums((symbols.size() + kRansGroup - 1) / kRansGroup);
    plane_kernels(isa).sum_groups(symbols.data(), groups * kRansGroup, range.low, range.high,
                                  sums.data());
    // A shorter group at the end goes with the one before it.
    if (sums.size() > groups) sums[groups] = sums[groups - 1];
    const double gain = estimated_gain(sums, variance_of_symbols(sample, range));
    if (gain >= (thorough ? kMinThoroughGain : kMinGain)) {
      model.table_count = classify(sums, model.table_of_group);
      const std::size_t budget =
          (thorough ? kThoroughBudgetPerTable : kBudgetPerTable) * model.table_count;
      fit_tables(symbols, std::clamp<std::size_t>(budget / groups, 16, kRansGroup), model);
      return model;
    }
  }
  model.tables[0] = RansTable::from_sample(sample);
  return model;
}

}  // namespace weightfs::codec
