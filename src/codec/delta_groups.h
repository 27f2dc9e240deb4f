// The kernels of float deltas (delta_kernels.h has the formulas), on groups as delta_layout.h lays
// them out, for whatever instructions the including file is compiled for.
#pragma once

#include "delta_bits.h"
#include "delta_layout.h"

namespace weightfs::codec {
namespace {

// Symbols that were decoded before.
struct StoredSymbols {
  const std::byte* symbols;

  [[gnu::always_inline]] explicit StoredSymbols(DeltaDecodeJob& job) : symbols(job.symbols) {}
  [[gnu::always_inline]] bool may_go_on() const { return true; }
  template <unsigned kTurn>
  [[gnu::always_inline]] Vector8 next(const Vector8& /*entries*/) {
    symbols += kDeltaGroup;
    return Vector8::load(symbols - kDeltaGroup);
  }
  [[gnu::always_inline]] void finish(DeltaDecodeJob& job) const { job.symbols = symbols; }
};

template <class Cpu, class Word, unsigned kMantissaBits>
struct DeltaGroups : DeltaLayout<Cpu, Word, kMantissaBits> {
  using Layout = DeltaLayout<Cpu, Word, kMantissaBits>;
  using Layout::above_bytes;
  using Layout::exponent;
  using Layout::kBits;
  using Layout::kGroupBytes;
  using Layout::kIsBf16;
  using Layout::kMagnitude;
  using Layout::kMantissa;
  using Layout::kMostLowBytes;
  using Layout::kSign;
  using Layout::kValueBytes;
  using Layout::load;
  using Layout::low_bits_of;
  using Layout::put_above_bytes;
  using Layout::sign_mask;
  using Layout::unweave;
  using Layout::weave;
  using typename Layout::Group;
  using typename Layout::Plan;
  using typename Layout::Words;
  // Bits of a code, and what is left of an escape's with these set.
  static constexpr unsigned kContextOfCode = 0x60;
  static constexpr unsigned kEscapeOfAny = kContextOfCode | kDeltaEscape;
  // CPUs don't fetch ahead across pages, or hardly.
  static constexpr std::size_t kFetchAhead = 2048;

  static void compare(DeltaCompareJob& job) {
    for (std::size_t first = 0; first < job.count; first += 64) {
      const std::size_t end = first + 64 < job.count ? first + 64 : job.count;
      std::uint64_t changed = 0;
      for (std::size_t g = first; g < end; ++g) {
        const std::byte* const values = job.values + g * kGroupBytes;
        const std::byte* const base = job.base + g * kGroupBytes;
        for (std::size_t i = 0; i < kGroupBytes; i += 64) {
          __builtin_prefetch(values + kFetchAhead + i);
          __builtin_prefetch(base + kFetchAhead + i);
        }
        changed |= Cpu::differ(values, base, kGroupBytes) << (g - first);
      }
      job.changed[first / 64] = changed;
    }
  }

  static void find_contexts(DeltaContextJob& job) {
    const Plan plan(*job.tables);
    for (std::size_t i = 0; i < job.group_count; ++i) {
      const Vector8 entries = plan.entries(load(job.base, job.groups[i]));
      (entries >> kDeltaContextShift).store(job.contexts + i * kDeltaGroup);
    }
  }

  static void list_escapes(DeltaEscapesJob& job) {
    for (std::size_t i = 0; i < job.group_count; ++i) {
      Cpu::template list_values<kValueBytes>(job.escaped[i], job.groups[i] * kDeltaGroup,
                                             job.values);
    }
  }

  // The whole bytes and the odd bits of a group's low bits.
  [[gnu::always_inline]] static void put_low(const Group& low, Vector8 k, DeltaEncodeJob& job,
                                             BitSink& sink) {
#pragma GCC unroll 6
    for (unsigned byte = 0; byte < kMostLowBytes; ++byte) {
      if (byte == job.tables->most_low_bytes) break;
      Group bytes;
      for (std::size_t i = 0; i < kValueBytes; ++i) {
        bytes.of[i] = (low.of[i] >> static_cast<int>(8 * byte)) & Word{0xFF};
      }
      Cpu::pack(weave(bytes), Cpu::at_least(k, 8 * byte + 8), job.low_bytes);
    }
    Group odd;
    for (std::size_t i = 0; i < kValueBytes; ++i) {
      odd.of[i] = above_bytes(low.of[i], unweave(k, i));
    }
    const typename Cpu::BitPlanes bits(weave(odd));
    const typename Cpu::OddPlanes has(k);
#pragma GCC unroll 7
    for (unsigned bit = 0; bit < 7; ++bit) {
      if (bit == job.tables->most_odd_bits) break;
      const std::uint64_t places = has.of_bit(bit);
      sink.put(Cpu::gather_bits(bits.of_bit(bit), places), Cpu::count_bits(places));
    }
  }

  // The symbols of values that are coded by distance, and the low bits of these.
  [[gnu::always_inline]] static Vector8 code_distances(const Group& w, const Group& v, Vector8 k,
                                                       Group& low) {
    Group symbols;
    for (std::size_t i = 0; i < kValueBytes; ++i) {
      const Words of_k = unweave(k, i);
      const Words turned = w.of[i] ^ (v.of[i] & kSign);
      const Words line = turned ^ (sign_mask(turned) & kMagnitude);
      const Words code =
          line - (v.of[i] & kMagnitude) + Cpu::shift_left(Words::all(kDeltaCentre), of_k);
      const Words high = Cpu::shift_right(code, of_k);
      low.of[i] = code - Cpu::shift_left(high, of_k);
      symbols.of[i] = smaller<Word>(high, kDeltaEscape);
    }
    return weave(symbols);
  }

  // The same of values that are coded directly.
  [[gnu::always_inline]] static Vector8 code_directly(const Group& w, const Plan& plan,
                                                      Vector8 entries, Group& low) {
    Group symbols;
    for (std::size_t i = 0; i < kValueBytes; ++i) {
      const Words bits = (w.of[i] & kMantissa) |
                         ((w.of[i] & kSign) >> static_cast<int>(kBits - 1 - kMantissaBits));
      low.of[i] = where_at_least<Word>(unweave(entries, i), kDeltaDirect, bits, low.of[i]);
      const Words below = Words::all(plan.top_exponent) - exponent(w.of[i]);
      symbols.of[i] = smaller<Word>(below, kDeltaEscape);
    }
    return weave(symbols);
  }

  static void encode(DeltaEncodeJob& caller_job) {
    DeltaEncodeJob job = caller_job;
    const Plan plan(*job.tables);
    const typename Cpu::Table128 code_map(job.tables->code_map);
    BitSink sink(job.low_bits, job.low_bit_count);
    for (std::size_t i = 0; i < job.group_count; ++i) {
      const Group w = load(job.values, job.groups[i]);
      const Group v = load(job.base, job.groups[i]);
      const Vector8 entries = plan.entries(v);
      const Vector8 k = low_bits_of(entries);
      Group low;
      Vector8 symbols = code_distances(w, v, k, low);
      if (job.tables->any_direct) {
        const Vector8 direct = code_directly(w, plan, entries, low);
        symbols = where_at_least<std::uint8_t>(entries, kDeltaDirect, direct, symbols);
      }
      const Vector8 contexts = (entries >> kDeltaCodeShift) & std::uint8_t{kContextOfCode};
      const Vector8 codes = Cpu::look_up(code_map, contexts | symbols);
      job.escaped[i] = Cpu::equal_to(codes | std::uint8_t{kContextOfCode}, kEscapeOfAny);
      codes.store(job.codes + i * kDeltaGroup);
      put_low(low, k, job, sink);
    }
    job.low_bit_count = sink.finish();
    caller_job = job;
  }

  // What can be known of a group before its symbols: it is taken from the streams so early that
  // planes of bits are in memory when they are needed as bytes.
  struct Prepared {
    Vector8 entries;
    typename Cpu::PlaneWords odd;
  };

  // Takes the odd bits of a group.
  [[gnu::always_inline]] static void prepare(std::size_t group, const Plan& plan,
                                             DeltaDecodeJob& job, Prepared& prepared) {
    __builtin_prefetch(job.base + group * kGroupBytes + kFetchAhead);
    __builtin_prefetch(job.base + group * kGroupBytes + kFetchAhead + kGroupBytes / 2);
    prepared.entries = plan.entries(load(job.base, group));
    const typename Cpu::OddPlanes has(low_bits_of(prepared.entries));
#pragma GCC unroll 7
    for (unsigned bit = 0; bit < 7; ++bit) {
      if (bit == job.tables->most_odd_bits) break;
      const std::uint64_t places = has.of_bit(bit);
      const std::uint64_t taken =
          take_bits(job.low_bits, job.low_bit_count, Cpu::count_bits(places));
      prepared.odd.of_bit[bit] = Cpu::scatter_bits(taken, places);
    }
  }

  [[gnu::always_inline]] static Group take_low(const Prepared& prepared, Vector8 k,
                                               DeltaDecodeJob& job) {
    Vector8 odd = prepared.odd.as_bytes(job.tables->most_odd_bits);
    Group low;
    if constexpr (kIsBf16) {
      // No value has both.
      if (job.tables->most_low_bytes != 0) {
        odd = odd | Cpu::unpack(Cpu::at_least(k, 8), job.low_bytes);
      }
      for (std::size_t i = 0; i < kValueBytes; ++i) low.of[i] = unweave(odd, i);
      return low;
    }
    for (std::size_t i = 0; i < kValueBytes; ++i) {
      low.of[i] = put_above_bytes(unweave(odd, i), unweave(k, i));
    }
#pragma GCC unroll 6
    for (unsigned byte = 0; byte < kMostLowBytes; ++byte) {
      if (byte == job.tables->most_low_bytes) break;
      const Vector8 bytes = Cpu::unpack(Cpu::at_least(k, 8 * byte + 8), job.low_bytes);
      for (std::size_t i = 0; i < kValueBytes; ++i) {
        low.of[i] = low.of[i] | unweave(bytes, i) << static_cast<int>(8 * byte);
      }
    }
    return low;
  }

  [[gnu::always_inline]] static Words from_distance(Words v, Words symbol, Words low, Words k) {
    const Words distance = Cpu::shift_left(symbol - static_cast<Word>(kDeltaCentre), k) + low;
    const Words line = (v & kMagnitude) + distance;
    return line ^ (sign_mask(line) & kMagnitude) ^ (v & kSign);
  }
  [[gnu::always_inline]] static Words from_direct(Words symbol, Words low, const Plan& plan) {
    const Words of_exponent = (Words::all(plan.top_exponent) - symbol)
                              << static_cast<int>(kMantissaBits);
    const Words sign = low << static_cast<int>(kBits - 1 - kMantissaBits);
    return (sign & kSign) | (of_exponent & static_cast<Word>(kMagnitude & ~kMantissa)) |
           (low & kMantissa);
  }

  template <unsigned kTurn, class Symbols>
  [[gnu::always_inline]] static void decode_group(DeltaDecodeJob& job, const Plan& plan,
                                                  const Prepared& prepared, Symbols& source) {
    const std::size_t group = *job.groups++;
    const Group v = load(job.base, group);
    const Vector8 entries = prepared.entries;
    const Vector8 symbols = source.template next<kTurn>(entries);
    const Vector8 k = low_bits_of(entries);
    const Group low = take_low(prepared, k, job);
    const bool direct = job.tables->any_direct;
    for (std::size_t i = 0; i < kValueBytes; ++i) {
      const Words symbol = unweave(symbols, i);
      Words value = from_distance(v.of[i], symbol, low.of[i], unweave(k, i));
      if (direct) {
        const Words directly = from_direct(symbol, low.of[i], plan);
        value = where_at_least<Word>(unweave(entries, i), kDeltaDirect, directly, value);
      }
      value.store(job.values + group * kGroupBytes + 64 * i);
    }
    *job.escaped++ = Cpu::equal_to(symbols, kDeltaEscape);
    --job.group_count;
  }

  // The group `ahead` of the next one, and that after it if there is one.
  [[gnu::always_inline]] static void prepare_two(std::size_t ahead, const Plan& plan,
                                                 DeltaDecodeJob& job, Prepared (&prepared)[2]) {
    prepare(job.groups[ahead], plan, job, prepared[0]);
    if (job.group_count > ahead + 1) prepare(job.groups[ahead + 1], plan, job, prepared[1]);
  }

  template <class Symbols>
  static void decode_from(DeltaDecodeJob& caller_job) {
    DeltaDecodeJob job = caller_job;
    const Plan plan(*job.tables);
    Symbols source(job);
    // Two groups at a time, since symbols of neighbouring groups may be coded by different lanes.
    // The first turn only prepares its own, each other one those of the next.
    Prepared prepared[2][2] = {};
    std::size_t ahead = 0;
    std::uint64_t low_bit_count = job.low_bit_count;
    for (unsigned turn = 0; job.group_count > 0 && source.may_go_on(); turn ^= 1) {
      if (job.low_bit_count > job.low_bit_limit || job.low_bytes > job.low_bytes_end) break;
      low_bit_count = job.low_bit_count;
      if (job.group_count > ahead) prepare_two(ahead, plan, job, prepared[turn ^ 1]);
      if (ahead > 0) {
        decode_group<0>(job, plan, prepared[turn][0], source);
        if (job.group_count > 0) decode_group<1>(job, plan, prepared[turn][1], source);
      }
      ahead = 2;
    }
    source.finish(job);
    // What was prepared in vain is taken again.
    job.low_bit_count = low_bit_count;
    caller_job = job;
  }

  static constexpr DeltaKernels kernels(void (*decode_coded)(DeltaDecodeJob&) = nullptr) {
    return {.compare = compare,
            .encode = encode,
            .find_contexts = find_contexts,
            .list_escapes = list_escapes,
            .decode = decode_from<StoredSymbols>,
            .decode_coded = decode_coded};
  }
};

}  // namespace
}  // namespace weightfs::codec
