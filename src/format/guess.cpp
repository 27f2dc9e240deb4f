#include "guess.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "layout_builder.h"

namespace weightfs::format {
namespace {

constexpr std::uint64_t kMinFileBytes = 4096;
constexpr std::uint64_t kSampleBytes = 4096;
constexpr std::uint64_t kMaxSamples = 64;
constexpr std::size_t kPhases = 4;

// Bits per byte by which knowing a byte's place in its number must shorten it. Text and compressed
// bytes gain less than 0.05; float32 weights gain 0.6 and more, bfloat16 above 1.
constexpr double kMinGainBits = 0.4;
// What four phases must gain over two to be worth it.
constexpr double kMinGainOfFourBits = 0.2;

using Histogram = std::array<std::uint32_t, 256>;
using Histograms = std::array<Histogram, kPhases>;  // by offset in the file modulo four

double entropy_bits(const Histogram& histogram) {
  double total = 0;
  double sum = 0;
  for (const std::uint32_t count : histogram) {
    if (count == 0) continue;
    total += count;
    sum += count * std::log2(count);
  }
  return total == 0 ? 0 : std::log2(total) - sum / total;
}

Histogram sum_of(const Histogram& a, const Histogram& b) {
  Histogram sum{};
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = a[i] + b[i];
  return sum;
}

// Samples start at multiples of their own size, so that phases are those of the file.
std::optional<Histograms> sample(const ByteSource& source) {
  const std::uint64_t blocks = source.size_bytes() / kSampleBytes;
  const std::uint64_t samples = std::min(blocks, kMaxSamples);
  Histograms histograms{};
  ByteVector bytes(kSampleBytes);
  for (std::uint64_t i = 0; i < samples; ++i) {
    const std::uint64_t offset_bytes = blocks * i / samples * kSampleBytes;
    if (!source.read_at(offset_bytes, bytes)) return std::nullopt;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      ++histograms[at % kPhases][static_cast<std::uint8_t>(bytes[at])];
    }
  }
  return histograms;
}

struct Guess {
  Dtype dtype = Dtype::opaque;
  std::uint64_t first_offset_bytes = 0;
};

// A number's last byte has its sign and exponent, or its high bits, and varies least. Numbers start
// at multiples of their size unless that clearly says otherwise.
template <std::size_t kWidth>
std::uint64_t first_offset(const std::array<double, kWidth>& entropies) {
  const auto least = std::min_element(entropies.begin(), entropies.end());
  if (entropies.back() - *least < kMinGainBits) return 0;
  return static_cast<std::uint64_t>(least - entropies.begin() + 1);
}

std::optional<Guess> guess_width(const Histograms& by_phase) {
  const Histogram even = sum_of(by_phase[0], by_phase[2]);
  const Histogram odd = sum_of(by_phase[1], by_phase[3]);
  const double whole = entropy_bits(sum_of(even, odd));
  const std::array<double, 2> of_two = {entropy_bits(even), entropy_bits(odd)};
  std::array<double, kPhases> of_four{};
  std::transform(by_phase.begin(), by_phase.end(), of_four.begin(), entropy_bits);
  const double gain_of_two = whole - (of_two[0] + of_two[1]) / 2;
  const double gain_of_four = whole - (of_four[0] + of_four[1] + of_four[2] + of_four[3]) / kPhases;
  if (gain_of_four >= kMinGainBits && gain_of_four >= gain_of_two + kMinGainOfFourBits) {
    return Guess{.dtype = Dtype::guessed_32, .first_offset_bytes = first_offset(of_four)};
  }
  if (gain_of_two >= kMinGainBits) {
    return Guess{.dtype = Dtype::guessed_16, .first_offset_bytes = first_offset(of_two)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Layout> guess_layout(const ByteSource& source) {
  if (source.size_bytes() < kMinFileBytes) return std::nullopt;
  const auto histograms = sample(source);
  const auto guess = histograms ? guess_width(*histograms) : std::nullopt;
  if (!guess) return std::nullopt;
  const std::uint64_t unit_bytes = dtype_layout(guess->dtype).unit_bytes;
  const std::uint64_t available = source.size_bytes() - guess->first_offset_bytes;
  LayoutBuilder builder("guess", source.size_bytes());
  builder.add_extent({.offset_bytes = guess->first_offset_bytes,
                      .length_bytes = available / unit_bytes * unit_bytes,
                      .dtype = guess->dtype});
  Result<Layout> layout = std::move(builder).finish();
  return layout ? std::optional(*std::move(layout)) : std::nullopt;
}

}  // namespace weightfs::format
