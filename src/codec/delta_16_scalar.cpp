// The kernels of the 16-bit delta in plain C++: the reference for the vector ones.
#include <cstring>

#include "delta_16_kernels.h"
#include "delta_16_value.h"

namespace weightfs::codec {
namespace {

std::size_t element_of(std::size_t place) {
  return place / 2 + kDelta16Group / 2 * (place % 2);
}

unsigned load(const std::byte* values, std::size_t index) {
  std::uint16_t value = 0;
  std::memcpy(&value, values + 2 * index, sizeof value);
  return value;
}

void store(std::byte* values, std::size_t index, unsigned value) {
  const auto narrow = static_cast<std::uint16_t>(value);
  std::memcpy(values + 2 * index, &narrow, sizeof narrow);
}

unsigned plan_of(unsigned base, const Delta16Tables& tables) {
  return tables.plan[delta_16_level(base, tables.mantissa_bits, tables.top_level)];
}

// A stream of bits, low ones first; what is behind the last one is zero.
void put_bits(std::byte* bits, std::uint64_t& position, std::uint64_t value, unsigned count) {
  for (unsigned i = 0; i < count; ++i, ++position) {
    const unsigned shift = position % 8;
    if (shift == 0) bits[position / 8] = std::byte{0};
    bits[position / 8] |= static_cast<std::byte>(((value >> i) & 1) << shift);
  }
}

unsigned get_bit(const std::byte* bits, std::uint64_t position) {
  return (static_cast<unsigned>(bits[position / 8]) >> (position % 8)) & 1;
}

void compare(Delta16CompareJob& job) {
  for (std::size_t g = 0; g < job.count; ++g) {
    if (g % 64 == 0) job.changed[g / 64] = 0;
    const std::size_t at = g * kDelta16GroupBytes;
    const bool differs = std::memcmp(job.values + at, job.base + at, kDelta16GroupBytes) != 0;
    job.changed[g / 64] |= std::uint64_t{differs} << (g % 64);
  }
}

// What a group leaves for its bit planes.
struct LowBits {
  unsigned counts[kDelta16Group];
  unsigned values[kDelta16Group];
};

void encode_group(Delta16EncodeJob& job, std::size_t first, LowBits& low) {
  const Delta16Tables& tables = *job.tables;
  for (std::size_t place = 0; place < kDelta16Group; ++place) {
    const unsigned value = load(job.values, first + element_of(place));
    const unsigned base = load(job.base, first + element_of(place));
    const unsigned plan = plan_of(base, tables);
    const unsigned context = (plan >> kDelta16ContextShift) % 4;
    const int distance = delta_16_distance(value, base);
    low.counts[place] = plan & kDelta16LowBitsMask;
    low.values[place] = static_cast<unsigned>(distance);
    unsigned symbol = delta_symbol(distance, low.counts[place]);
    if ((plan & kDelta16Direct) != 0) {
      symbol = delta_16_direct_symbol(value, tables.mantissa_bits, tables.top_exponent);
      low.values[place] = value;
      *job.direct++ = static_cast<std::byte>(delta_16_direct_byte(value, tables.mantissa_bits));
    }
    symbol = tables.symbol_map[context * 32 + symbol];
    *job.escaped |= std::uint64_t{symbol == kDeltaEscape} << place;
    job.symbols[place] = static_cast<std::byte>(symbol);
    job.contexts[place] = static_cast<std::byte>(context);
  }
}

void encode(Delta16EncodeJob& job) {
  for (std::size_t i = 0; i < job.group_count; ++i) {
    LowBits low;
    *job.escaped = 0;
    encode_group(job, job.groups[i] * kDelta16Group, low);
    for (unsigned bit = 0; bit < job.tables->max_low_bits; ++bit) {
      for (std::size_t place = 0; place < kDelta16Group; ++place) {
        if (low.counts[place] > bit) put_bits(job.bits, job.bit_count, low.values[place] >> bit, 1);
      }
    }
    job.symbols += kDelta16Group;
    job.contexts += kDelta16Group;
    ++job.escaped;
  }
}

void find_contexts(Delta16ContextJob& job) {
  std::byte* contexts = job.contexts;
  for (std::size_t i = 0; i < job.group_count; ++i) {
    const std::size_t first = job.groups[i] * kDelta16Group;
    for (std::size_t place = 0; place < kDelta16Group; ++place) {
      const unsigned plan = plan_of(load(job.base, first + element_of(place)), *job.tables);
      *contexts++ = static_cast<std::byte>((plan >> kDelta16ContextShift) % 4);
    }
  }
}

void decode_group(Delta16DecodeJob& job, std::size_t first) {
  const Delta16Tables& tables = *job.tables;
  unsigned plans[kDelta16Group];
  unsigned low[kDelta16Group] = {};
  for (std::size_t place = 0; place < kDelta16Group; ++place) {
    plans[place] = plan_of(load(job.base, first + element_of(place)), tables);
  }
  for (unsigned bit = 0; bit < tables.max_low_bits; ++bit) {
    for (std::size_t place = 0; place < kDelta16Group; ++place) {
      if ((plans[place] & kDelta16LowBitsMask) <= bit) continue;
      low[place] |= get_bit(job.bits, job.bit_count++) << bit;
    }
  }
  *job.escaped = 0;
  for (std::size_t place = 0; place < kDelta16Group; ++place) {
    const std::size_t at = first + element_of(place);
    const auto symbol = static_cast<unsigned>(job.symbols[place]);
    unsigned value = 0;
    if ((plans[place] & kDelta16Direct) != 0) {
      const auto byte = static_cast<unsigned>(*job.direct++);
      value =
          delta_16_from_direct(symbol, byte, low[place], tables.mantissa_bits, tables.top_exponent);
    } else {
      const unsigned k = plans[place] & kDelta16LowBitsMask;
      const int high = static_cast<int>(symbol) - kDeltaCentre;
      value = delta_16_apply(load(job.base, at), high * (1 << k) + static_cast<int>(low[place]));
    }
    store(job.values, at, value);
    *job.escaped |= std::uint64_t{symbol == kDeltaEscape} << place;
  }
}

void decode(Delta16DecodeJob& job) {
  for (; job.group_count > 0; --job.group_count) {
    if (job.bit_count > job.bit_limit || job.direct > job.direct_end) return;
    decode_group(job, *job.groups++ * kDelta16Group);
    job.symbols += kDelta16Group;
    ++job.escaped;
  }
}

}  // namespace

const Delta16Kernels kDelta16Scalar = {
    .compare = compare, .encode = encode, .find_contexts = find_contexts, .decode = decode};

}  // namespace weightfs::codec
