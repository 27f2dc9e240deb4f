// The rANS kernels in plain C++: the reference for all others, and the only ones for 8 lanes.
#include "rans_kernels.h"

namespace weightfs::codec {
namespace {

constexpr unsigned kLowestState = 256;

std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

// The state after a symbol, refilled from `in`. Without a branch, which no CPU could foresee; so is
// the one below.
std::uint16_t advance(unsigned state, unsigned frequency, unsigned bias, const std::byte*& in) {
  const unsigned next = frequency * (state >> 7) + bias;
  const unsigned refilled = (next << 8) | std::to_integer<unsigned>(*in);
  const unsigned is_low = next < kLowestState ? 1 : 0;
  in += is_low;
  return static_cast<std::uint16_t>(is_low != 0 ? refilled : next);
}

// The state before a symbol, spilled to `out`. The reciprocal's quotient is one too small at most.
std::uint16_t retreat(unsigned state, unsigned frequency, unsigned start, unsigned reciprocal,
                      std::byte*& out) {
  const unsigned spills = (state >> 9) >= frequency ? 1 : 0;
  out[-1] = static_cast<std::byte>(state);
  out -= spills;
  state >>= 8 * spills;
  unsigned quotient = state * reciprocal >> 16;
  unsigned rest = state - quotient * frequency;
  const unsigned small = rest >= frequency ? 1 : 0;
  quotient += small;
  rest -= frequency & (0 - small);
  return static_cast<std::uint16_t>((quotient << 7) + rest + start);
}

bool may_go_on(const std::byte* in, const std::byte* in_end) {
  return in_end - in >= static_cast<std::ptrdiff_t>(kRansReadAhead);
}

void decode(RansDecodeJob& job) {
  for (std::size_t lane = 0; job.count > 0 && may_go_on(job.in, job.in_end);) {
    if (job.escapes > job.escapes_end) return;
    const RansDecodeTable& table = job.tables[std::to_integer<std::size_t>(*job.table_of_group++)];
    const std::size_t size = smaller(job.count, kRansGroup);
    for (std::size_t i = 0; i < size; ++i) {
      const unsigned state = job.states[lane];
      const unsigned slot = state % kRansSlots;
      job.states[lane] = advance(state, table.frequency[slot], table.bias[slot], job.in);
      if (++lane == job.lanes) lane = 0;
      const bool escaped = table.symbol[slot] == table.escape_symbol;
      job.symbols[i] = escaped ? *job.escapes++ : static_cast<std::byte>(table.symbol[slot]);
    }
    job.symbols += size;
    job.count -= size;
  }
}

void encode(RansEncodeJob& job) {
  for (std::size_t i = job.count; i-- > 0;) {
    const RansEncodeTable& table =
        job.tables[std::to_integer<std::size_t>(job.table_of_group[i / kRansGroup])];
    const unsigned code = table.code[std::to_integer<std::size_t>(job.symbols[i])];
    if (code == table.escape_code) *--job.escapes = job.symbols[i];
    // Lanes are a power of two.
    std::uint16_t& state = job.states[i & (job.lanes - 1)];
    const unsigned reciprocal =
        table.reciprocal_low[code] | static_cast<unsigned>(table.reciprocal_high[code]) << 8;
    state = retreat(state, table.frequency[code], table.start[code], reciprocal, job.out);
  }
}

void decode_contexts(RansContextDecodeJob& job) {
  const RansContextDecodeTable& table = *job.table;
  for (std::size_t lane = 0; job.count > 0 && may_go_on(job.in, job.in_end);) {
    const std::size_t size = smaller(job.count, kRansGroup);
    for (std::size_t i = 0; i < size; ++i) {
      const unsigned state = job.states[lane];
      const unsigned slot = state % kRansSlots;
      const unsigned context = std::to_integer<unsigned>(job.contexts[i]) % kRansContexts;
      const unsigned symbol = table.symbol[context * kRansSlots + slot];
      const unsigned code = context * kRansContextSymbols + symbol;
      job.states[lane] = advance(state, table.frequency[code], slot - table.start[code], job.in);
      if (++lane == job.lanes) lane = 0;
      job.symbols[i] = static_cast<std::byte>(symbol);
    }
    job.contexts += size;
    job.symbols += size;
    job.count -= size;
  }
}

void encode_contexts(RansContextEncodeJob& job) {
  for (std::size_t i = job.count; i-- > 0;) {
    const auto code = std::to_integer<unsigned>(job.codes[i]);
    std::uint16_t& state = job.states[i & (job.lanes - 1)];
    const RansContextEncodeTable& table = *job.table;
    const unsigned reciprocal =
        table.reciprocal_low[code] | static_cast<unsigned>(table.reciprocal_high[code]) << 8;
    state = retreat(state, table.frequency[code], table.start[code], reciprocal, job.out);
  }
}

}  // namespace

const RansKernels kRansScalar = {.decode = decode,
                                 .encode = encode,
                                 .decode_contexts = decode_contexts,
                                 .encode_contexts = encode_contexts};

}  // namespace weightfs::codec
