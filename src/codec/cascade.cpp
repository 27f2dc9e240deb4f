#include "cascade.h"

#include <array>
#include <numeric>

namespace weightfs::codec {
namespace {

constexpr std::size_t kLevels = 3;
constexpr std::size_t kCodes = 3;
using CodedSymbols = std::array<std::uint8_t, kLevels * kCodes>;

constexpr std::size_t padded(std::size_t count) {
  return (count + kPlaneGroup - 1) / kPlaneGroup * kPlaneGroup;
}
constexpr std::size_t codes_size(std::size_t count) {
  return padded(count) / 4;
}

CodedSymbols most_frequent(const SampledHistogram& sample) {
  std::array<std::uint8_t, 256> order{};
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  CodedSymbols coded{};
  std::partial_sort_copy(order.begin(), order.end(), coded.begin(), coded.end(),
                         [&](std::uint8_t a, std::uint8_t b) {
                           const auto count_a = sample.counts[a];
                           const auto count_b = sample.counts[b];
                           return count_a != count_b ? count_a > count_b : a < b;
                         });
  return coded;
}

void pad(MutableByteSpan symbols, std::uint8_t value) {
  std::fill_n(symbols.data() + symbols.size(), padded(symbols.size()) - symbols.size(),
              std::byte{value});
}

}  // namespace

double cascade_bits(const SampledHistogram& sample) {
  if (sample.total == 0) return 0;
  const CodedSymbols coded = most_frequent(sample);
  double bits = 0;
  std::uint32_t left = sample.total;
  for (std::size_t level = 0; level < kLevels; ++level) {
    bits += 2.0 * left;
    for (std::size_t i = 0; i < kCodes; ++i) left -= sample.counts[coded[level * kCodes + i]];
  }
  return (bits + 8.0 * left) / sample.total;
}

void encode_cascade(MutableByteSpan symbols, const SampledHistogram& sample,
                    CascadeScratch& scratch, StreamWriter& out, Isa isa) {
  const CodedSymbols coded = most_frequent(sample);
  out.append(bytes_of_elements(std::span<const std::uint8_t>(coded)));
  const std::array<ScratchBuffer*, kLevels> buffers = {&scratch.level2, &scratch.level3,
                                                       &scratch.stored};
  MutableByteSpan level = symbols;
  for (std::size_t i = 0; i < kLevels; ++i) {
    const std::uint8_t* level_coded = coded.data() + i * kCodes;
    const std::size_t count = padded(level.size());
    pad(level, level_coded[0]);
    const MutableByteSpan codes = out.extend(codes_size(level.size()));
    if (out.failed()) return;
    const MutableByteSpan next = buffers[i]->get(count);
    const std::byte* next_end =
        plane_kernels(isa).reduce(level.data(), count, level_coded, codes.data(), next.data());
    level = next.first(static_cast<std::size_t>(next_end - next.data()));
    out.varint(level.size());
  }
  out.append(level);
}

Status decode_cascade(ByteReader& in, MutableByteSpan symbols, CascadeScratch& scratch, Isa isa) {
  const ByteSpan coded = in.bytes(kLevels * kCodes);
  std::array<ByteSpan, kLevels> codes;
  std::array<std::size_t, kLevels + 1> counts = {symbols.size()};
  for (std::size_t i = 0; i < kLevels; ++i) {
    codes[i] = in.bytes(codes_size(counts[i]));
    counts[i + 1] = in.varint();
    if (counts[i + 1] > padded(counts[i])) return fail(Code::corrupt, "a cascade is damaged");
  }
  const ByteSpan stored = in.bytes(counts[kLevels]);
  if (in.failed()) return fail(Code::corrupt, "a cascade is cut short");

  MutableByteSpan next = scratch.stored.get(stored.size());
  std::copy(stored.begin(), stored.end(), next.begin());
  const std::array<MutableByteSpan, kLevels> levels = {
      symbols, scratch.level2.get(padded(counts[1])).first(counts[1]),
      scratch.level3.get(padded(counts[2])).first(counts[2])};
  for (std::size_t i = kLevels; i-- > 0;) {
    CodedSymbols level_coded{};
    for (std::size_t j = 0; j < kCodes; ++j) {
      level_coded[j] = std::to_integer<std::uint8_t>(coded[i * kCodes + j]);
    }
    const std::byte* next_end = next.data() + next.size();
    if (plane_kernels(isa).expand(codes[i].data(), padded(counts[i]), level_coded.data(),
                                  next.data(), next_end, levels[i].data()) != next_end) {
      return fail(Code::corrupt, "a cascade does not come out even");
    }
    next = levels[i];
  }
  return {};
}

}  // namespace weightfs::codec
