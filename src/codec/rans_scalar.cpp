// The rANS kernels in plain C++: the reference for all others, and the only ones for 8 lanes.
#include "rans_kernels.h"

namespace weightfs::codec {
namespace {

constexpr unsigned kLowestState = 256;

std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

// The state after a symbol, refilled from `in`.
std::uint16_t advance(unsigned state, unsigned frequency, unsigned bias, const std::byte*& in) {
  unsigned next = frequency * (state >> 7) + bias;
  if (next < kLowestState) next = (next << 8) | std::to_integer<unsigned>(*in++);
  return static_cast<std::uint16_t>(next);
}

// The state before a symbol, spilled to `out`.
std::uint16_t retreat(unsigned state, unsigned frequency, unsigned start, std::byte*& out) {
  if ((state >> 9) >= frequency) {
    *--out = static_cast<std::byte>(state);
    state >>= 8;
  }
  return static_cast<std::uint16_t>(((state / frequency) << 7) + state % frequency + start);
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
    std::uint16_t& state = job.states[i % job.lanes];
    state = retreat(state, table.frequency[code], table.start[code], job.out);
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
    const unsigned code = std::to_integer<unsigned>(job.contexts[i]) * kRansContextSymbols +
                          std::to_integer<unsigned>(job.symbols[i]);
    std::uint16_t& state = job.states[i % job.lanes];
    state = retreat(state, job.table->frequency[code], job.table->start[code], job.out);
  }
}

}  // namespace

const RansKernels kRansScalar = {.decode = decode,
                                 .encode = encode,
                                 .decode_contexts = decode_contexts,
                                 .encode_contexts = encode_contexts};

}  // namespace weightfs::codec
