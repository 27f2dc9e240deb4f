// Distributions of byte symbols in 128ths, as rANS streams carry them, and what the kernels make of
// them.
//
// A table gives at most 63 symbols a code; all others share the escape, whose bytes are stored
// beside the stream. The slots 0..127 belong to the symbols in ascending order, each as many as its
// frequency, and then to the escape.
//
// Serialised: u8 escape frequency, then bytes b from symbol 0 on until all frequencies and the
// escape's add up to 128:  1..127: the next symbol has frequency b;  128..255: the next b - 127
// symbols have no code.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "buffers.h"
#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

constexpr unsigned kRansSlots = 128;
constexpr unsigned kRansMaxCodes = 63;

using Histogram = std::array<std::uint32_t, 256>;

// Adds every byte of `symbols` to `histogram`.
void add_to_histogram(ByteSpan symbols, Histogram& histogram);
// The histogram of at most about `budget` symbols in pieces of 64, spread evenly. `complete` says
// whether it counts them all.
struct SampledHistogram {
  Histogram counts{};
  std::uint32_t total = 0;
  bool complete = false;
};
SampledHistogram sample_histogram(ByteSpan symbols, std::size_t budget);

struct RansTable {
  std::array<std::uint8_t, 256> frequency{};  // 0: no code
  std::uint8_t escape_frequency = 0;

  // The best table for what was sampled. Without an escape only if the sample is complete and every
  // symbol in it has a code. An empty sample gives a table that escapes everything.
  static RansTable from_sample(const SampledHistogram& sample);
  // The byte that stands for the escape in a decoded plane: the smallest without a code.
  std::uint8_t escape_symbol() const;
  // Bits a symbol of the sample takes, escapes included.
  double estimated_bits(const SampledHistogram& sample) const;

  void write(StreamWriter& out) const;
  static Result<RansTable> read(ByteReader& in);
};

// Frequencies of a small alphabet (no escape): in 128ths, at least 1 for each symbol that `counts`
// has, at most 127, and adding up to 128; at least two symbols get a frequency.
void quantise_frequencies(std::span<const std::uint32_t> counts, std::span<std::uint8_t> frequency);

// What kernels read: for each slot its symbol, the symbol's frequency, and the slot's place in it.
struct alignas(64) RansDecodeTable {
  std::uint8_t frequency[kRansSlots];
  std::uint8_t bias[kRansSlots];
  std::uint8_t symbol[kRansSlots];
  std::uint8_t escape_symbol;

  explicit RansDecodeTable(const RansTable& table);
  RansDecodeTable() = default;
};

// For each symbol the number of its code, and for each code what the encoder needs. Codes without a
// symbol have frequency 1, so that no kernel divides by zero.
struct alignas(64) RansEncodeTable {
  std::uint8_t code[256];
  std::uint8_t frequency[64];
  std::uint8_t start[64];
  std::uint8_t reciprocal_low[64];  // of 65536 / frequency, rounded down, at most 65535
  std::uint8_t reciprocal_high[64];
  std::uint8_t escape_code;

  explicit RansEncodeTable(const RansTable& table);
  RansEncodeTable() = default;
};

// 65536 / frequency as the encoders use it.
constexpr std::uint16_t rans_reciprocal(unsigned frequency) {
  return static_cast<std::uint16_t>(frequency <= 1 ? 65535U : 65536U / frequency);
}

}  // namespace weightfs::codec
