#include "float_choice.h"

#include <array>

namespace weightfs::codec {
namespace {

constexpr std::size_t kSampleWords = 1024;

// Collision entropy of a 16-bit word's bits from `shift` on under `mask`, in units of 2^-bits: the
// number of pairs of sampled words that agree.
std::uint64_t agreeing_pairs(ByteSpan raw, unsigned shift, unsigned mask) {
  Histogram counts{};
  const std::size_t words = raw.size() / 2;
  const std::size_t step = std::max<std::size_t>(1, words / kSampleWords);
  for (std::size_t i = 0; i < words; i += step) {
    ++counts[load_unaligned<std::uint16_t>(raw.data() + 2 * i) >> shift & mask];
  }
  std::uint64_t pairs = 0;
  for (const std::uint64_t count : counts) pairs += count * (count - (count > 0 ? 1 : 0));
  return pairs;
}

// Of f16, bf16's exponent has three mantissa bits, which divide the agreeing pairs by 8; of bf16,
// f16's exponent lacks the low three bits of a peaked distribution, which divide them by about 3.
FloatKind guess_kind_16(ByteSpan raw) {
  const std::uint64_t as_bf16 = agreeing_pairs(raw, 7, 0xFF);
  const std::uint64_t as_f16 = agreeing_pairs(raw, 10, 0x1F);
  return as_f16 > 5 * as_bf16 ? FloatKind::f16 : FloatKind::bf16;
}

}  // namespace

std::optional<FloatKind> float_kind(Dtype dtype, ByteSpan raw) {
  switch (dtype) {
    case Dtype::bf16:
      return FloatKind::bf16;
    case Dtype::f16:
      return FloatKind::f16;
    case Dtype::f32:
    case Dtype::c64:
    case Dtype::guessed_32:
      return FloatKind::f32;
    case Dtype::f64:
    case Dtype::c128:
      return FloatKind::f64;
    case Dtype::f8_e4m3:
    case Dtype::f8_e4m3fnuz:
      return FloatKind::f8_e4m3;
    case Dtype::f8_e5m2:
    case Dtype::f8_e5m2fnuz:
      return FloatKind::f8_e5m2;
    case Dtype::guessed_16:
      return guess_kind_16(raw);
    default:
      return std::nullopt;
  }
}

bool looks_repetitive(ByteSpan raw) {
  constexpr std::size_t kStretches = 4;
  constexpr std::size_t kStretchWords = 256;
  // Eight bytes hold several elements, so that common values alone don't count.
  constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
  std::array<std::uint64_t, 4096> seen{};
  std::size_t again = 0;
  std::size_t words = 0;
  const std::size_t stride = std::max(raw.size() / kStretches, kStretchWords * kWordBytes);
  for (std::size_t start = 0; start + kWordBytes <= raw.size(); start += stride) {
    const ByteSpan stretch =
        raw.subspan(start, std::min(raw.size() - start, kStretchWords * kWordBytes));
    for (std::size_t at = 0; at + kWordBytes <= stretch.size(); at += kWordBytes, ++words) {
      const auto word = load_unaligned<std::uint64_t>(stretch.data() + at);
      std::uint64_t& slot = seen[word * 0x9E3779B97F4A7C15U >> 52];
      again += word != 0 && slot == word ? 1 : 0;
      slot = word;
    }
  }
  return again * 10 > words;
}

}  // namespace weightfs::codec
