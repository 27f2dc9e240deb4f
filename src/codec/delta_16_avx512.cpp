// The kernels of the 16-bit delta for AVX-512 VBMI and BMI2. Compiled with these instructions;
// called only where the CPU has them.
#include "delta_16_kernels.h"
#include "delta_bits.h"
#include "rans_avx512_core.h"

namespace weightfs::codec {
namespace {

using avx512::join_bytes;

__m512i bytes_of_value(unsigned value) {
  return _mm512_set1_epi8(static_cast<char>(value));
}
__m512i words_of_value(unsigned value) {
  return _mm512_set1_epi16(static_cast<short>(value));
}

// The two halves of a group, elements 0..31 and 32..63.
struct Halves {
  __m512i a;
  __m512i b;
};

[[gnu::always_inline]] inline Halves load_group(const std::byte* values, std::size_t group) {
  const std::byte* at = values + group * kDelta16GroupBytes;
  return {_mm512_loadu_si512(at), _mm512_loadu_si512(at + 64)};
}
// The low bytes of both halves, woven; and back, without and with sign.
[[gnu::always_inline]] inline __m512i weave(Halves x) {
  return join_bytes(x.a, _mm512_slli_epi16(x.b, 8));
}
[[gnu::always_inline]] inline Halves unweave(__m512i bytes) {
  return {_mm512_and_si512(bytes, avx512::low_bytes()), _mm512_srli_epi16(bytes, 8)};
}
[[gnu::always_inline]] inline Halves unweave_signed(__m512i bytes) {
  return {_mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8), _mm512_srai_epi16(bytes, 8)};
}
[[gnu::always_inline]] inline Halves magnitude(Halves x) {
  const __m512i mask = words_of_value(0x7FFF);
  return {_mm512_and_si512(x.a, mask), _mm512_and_si512(x.b, mask)};
}

// What a plan says of a group's 64 values.
struct Places {
  __m512i plan;
  __m512i low_bits;
  __mmask64 direct;
};

// The tables in registers.
struct Plan {
  __m512i by_level;
  __m512i top_level;
  __m512i top_exponent;
  __m128i mantissa_bits;
  __m128i direct_low_bits;

  [[gnu::always_inline]] explicit Plan(const Delta16Tables& tables)
      : by_level(_mm512_load_si512(tables.plan)),
        top_level(bytes_of_value(tables.top_level)),
        top_exponent(bytes_of_value(tables.top_exponent)),
        mantissa_bits(_mm_cvtsi32_si128(tables.mantissa_bits)),
        direct_low_bits(_mm_cvtsi32_si128(tables.mantissa_bits - 7)) {}

  [[gnu::always_inline]] __m512i exponents(Halves magnitudes) const {
    return weave({_mm512_srl_epi16(magnitudes.a, mantissa_bits),
                  _mm512_srl_epi16(magnitudes.b, mantissa_bits)});
  }
  [[gnu::always_inline]] Places places(Halves base_magnitudes) const {
    const __m512i levels = _mm512_min_epu8(_mm512_subs_epu8(top_level, exponents(base_magnitudes)),
                                           bytes_of_value(63));
    const __m512i plan = _mm512_permutexvar_epi8(levels, by_level);
    return {plan, _mm512_and_si512(plan, bytes_of_value(kDelta16LowBitsMask)),
            _mm512_movepi8_mask(plan)};
  }
};

[[gnu::always_inline]] inline __m512i contexts_of(__m512i plan) {
  return _mm512_and_si512(_mm512_srli_epi16(plan, kDelta16ContextShift), bytes_of_value(3));
}

void compare(Delta16CompareJob& job) {
  for (std::size_t g = 0; g < job.count; ++g) {
    const Halves w = load_group(job.values, g);
    const Halves v = load_group(job.base, g);
    const __m512i differing =
        _mm512_or_si512(_mm512_xor_si512(w.a, v.a), _mm512_xor_si512(w.b, v.b));
    const std::uint64_t differs = _mm512_test_epi64_mask(differing, differing) != 0 ? 1 : 0;
    if (g % 64 == 0) job.changed[g / 64] = 0;
    job.changed[g / 64] |= differs << (g % 64);
  }
}

// d of one half: modulo 65536 for its low bits, saturated for its high part.
struct Distance {
  __m512i wrapped;
  __m512i saturated;
};

[[gnu::always_inline]] inline Distance distance(__m512i w, __m512i v, __m512i v_magnitude) {
  const __m512i sign = words_of_value(0x8000);
  const __m512i turned = _mm512_xor_si512(w, _mm512_and_si512(v, sign));
  const __m512i negative = _mm512_srai_epi16(turned, 15);
  const __m512i line = _mm512_xor_si512(turned, _mm512_and_si512(negative, words_of_value(0x7FFF)));
  return {_mm512_sub_epi16(line, v_magnitude), _mm512_subs_epi16(line, v_magnitude)};
}

[[gnu::always_inline]] inline __m512i high_part(__m512i saturated, __m512i low_bits) {
  const __m512i high = _mm512_srav_epi16(saturated, low_bits);
  return _mm512_max_epi16(_mm512_min_epi16(high, _mm512_set1_epi16(16)), _mm512_set1_epi16(-16));
}

template <unsigned kLowBits, bool kAnyDirect>
void encode_groups(Delta16EncodeJob& caller_job) {
  Delta16EncodeJob job = caller_job;
  const Plan plan(*job.tables);
  const __m512i map_low = _mm512_load_si512(job.tables->symbol_map);
  const __m512i map_high = _mm512_load_si512(job.tables->symbol_map + 64);
  BitSink sink(job.bits, job.bit_count);
  for (std::size_t i = 0; i < job.group_count; ++i) {
    const Halves w = load_group(job.values, job.groups[i]);
    const Halves v = load_group(job.base, job.groups[i]);
    const Halves v_magnitude = magnitude(v);
    const Places places = plan.places(v_magnitude);
    const Halves k = unweave(places.low_bits);
    const Distance da = distance(w.a, v.a, v_magnitude.a);
    const Distance db = distance(w.b, v.b, v_magnitude.b);
    const __m512i high = weave({high_part(da.saturated, k.a), high_part(db.saturated, k.b)});
    const __m512i escape = bytes_of_value(kDeltaEscape);
    __m512i symbols = _mm512_min_epu8(_mm512_add_epi8(high, bytes_of_value(kDeltaCentre)), escape);
    __m512i low = weave({da.wrapped, db.wrapped});
    if (kAnyDirect && places.direct != 0) {
      const __m512i exponents = plan.exponents(magnitude(w));
      const __m512i direct = _mm512_min_epu8(_mm512_sub_epi8(plan.top_exponent, exponents), escape);
      symbols = _mm512_mask_mov_epi8(symbols, places.direct, direct);
      low = _mm512_mask_mov_epi8(low, places.direct, weave(w));
      const __m512i sign = bytes_of_value(0x80);
      const __m512i signs = weave({_mm512_srli_epi16(w.a, 8), _mm512_srli_epi16(w.b, 8)});
      const __m512i mantissas = weave({_mm512_srl_epi16(w.a, plan.direct_low_bits),
                                       _mm512_srl_epi16(w.b, plan.direct_low_bits)});
      const __m512i bytes = _mm512_ternarylogic_epi32(sign, signs, mantissas, 0xCA);
      _mm512_storeu_si512(job.direct, _mm512_maskz_compress_epi8(places.direct, bytes));
      job.direct += _mm_popcnt_u64(places.direct);
    }
    const __m512i codes =
        _mm512_or_si512(symbols, _mm512_and_si512(places.plan, bytes_of_value(0x60)));
    symbols = _mm512_permutex2var_epi8(map_low, codes, map_high);
    *job.escaped++ = _mm512_cmpeq_epi8_mask(symbols, escape);
    _mm512_storeu_si512(job.symbols, symbols);
    _mm512_storeu_si512(job.contexts, contexts_of(places.plan));
    job.symbols += kDelta16Group;
    job.contexts += kDelta16Group;
#pragma GCC unroll 8
    for (unsigned bit = 0; bit < kLowBits; ++bit) {
      const std::uint64_t has = _mm512_cmpgt_epu8_mask(places.low_bits, bytes_of_value(bit));
      const std::uint64_t set = _mm512_test_epi8_mask(low, bytes_of_value(1U << bit));
      sink.put(_pext_u64(set, has), static_cast<std::uint64_t>(_mm_popcnt_u64(has)));
    }
  }
  job.bit_count = sink.finish();
  caller_job = job;
}

void find_contexts(Delta16ContextJob& job) {
  const Plan plan(*job.tables);
  std::byte* contexts = job.contexts;
  for (std::size_t i = 0; i < job.group_count; ++i, contexts += kDelta16Group) {
    const Places places = plan.places(magnitude(load_group(job.base, job.groups[i])));
    _mm512_storeu_si512(contexts, contexts_of(places.plan));
  }
}

// The value whose line is base_magnitude + d.
[[gnu::always_inline]] inline __m512i apply(__m512i v, __m512i v_magnitude, __m512i d) {
  const __m512i line = _mm512_add_epi16(v_magnitude, d);
  const __m512i turned = _mm512_xor_si512(line, _mm512_srai_epi16(line, 15));
  const __m512i sign = _mm512_xor_si512(line, v);
  return _mm512_ternarylogic_epi32(words_of_value(0x7FFF), turned, sign, 0xCA);
}

// The values of direct codes: sign, exponent, the upper seven bits of the mantissa, low bits.
[[gnu::always_inline]] inline __m512i from_direct(__m512i exponent, __m512i byte, __m512i low,
                                                  const Plan& plan) {
  const __m512i upper = _mm512_or_si512(
      _mm512_and_si512(_mm512_sll_epi16(exponent, plan.mantissa_bits), words_of_value(0x7FFF)),
      _mm512_sll_epi16(_mm512_and_si512(byte, words_of_value(0x7F)), plan.direct_low_bits));
  const __m512i sign = _mm512_slli_epi16(_mm512_and_si512(byte, words_of_value(0x80)), 8);
  return _mm512_ternarylogic_epi32(upper, sign, low, 0xFE);
}

// The bits of `mask` at even places, or at odd ones: those of one half.
std::uint32_t even_places(__mmask64 mask) {
  return static_cast<std::uint32_t>(_pext_u64(mask, 0x5555555555555555ULL));
}
std::uint32_t odd_places(__mmask64 mask) {
  return static_cast<std::uint32_t>(_pext_u64(mask, 0xAAAAAAAAAAAAAAAAULL));
}

template <unsigned kLowBits, bool kAnyDirect>
void decode_groups(Delta16DecodeJob& caller_job) {
  Delta16DecodeJob job = caller_job;
  const Plan plan(*job.tables);
  for (; job.group_count > 0; --job.group_count) {
    if (job.bit_count > job.bit_limit || job.direct > job.direct_end) break;
    const std::size_t group = *job.groups++;
    const Halves v = load_group(job.base, group);
    const Halves v_magnitude = magnitude(v);
    const Places places = plan.places(v_magnitude);
    const __m512i symbols = _mm512_loadu_si512(job.symbols);
    job.symbols += kDelta16Group;
    __m512i low = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (unsigned bit = 0; bit < kLowBits; ++bit) {
      const std::uint64_t has = _mm512_cmpgt_epu8_mask(places.low_bits, bytes_of_value(bit));
      const auto count = static_cast<std::uint64_t>(_mm_popcnt_u64(has));
      const std::uint64_t set = _pdep_u64(take_bits(job.bits, job.bit_count, count), has);
      low = _mm512_or_si512(low, _mm512_maskz_mov_epi8(set, bytes_of_value(1U << bit)));
    }
    const Halves high = unweave_signed(_mm512_sub_epi8(symbols, bytes_of_value(kDeltaCentre)));
    const Halves k = unweave(places.low_bits);
    const Halves lows = unweave(low);
    __m512i a = apply(v.a, v_magnitude.a, _mm512_add_epi16(_mm512_sllv_epi16(high.a, k.a), lows.a));
    __m512i b = apply(v.b, v_magnitude.b, _mm512_add_epi16(_mm512_sllv_epi16(high.b, k.b), lows.b));
    if (kAnyDirect && places.direct != 0) {
      const Halves bytes =
          unweave(_mm512_maskz_expand_epi8(places.direct, _mm512_loadu_si512(job.direct)));
      job.direct += _mm_popcnt_u64(places.direct);
      const Halves exponents = unweave(_mm512_sub_epi8(plan.top_exponent, symbols));
      a = _mm512_mask_mov_epi16(a, even_places(places.direct),
                                from_direct(exponents.a, bytes.a, lows.a, plan));
      b = _mm512_mask_mov_epi16(b, odd_places(places.direct),
                                from_direct(exponents.b, bytes.b, lows.b, plan));
    }
    std::byte* out = job.values + group * kDelta16GroupBytes;
    _mm512_storeu_si512(out, a);
    _mm512_storeu_si512(out + 64, b);
    *job.escaped++ = _mm512_cmpeq_epi8_mask(symbols, bytes_of_value(kDeltaEscape));
  }
  caller_job = job;
}

// One instance for each number of low bits, so that the planes' loop is unrolled.
template <bool kAnyDirect>
constexpr void (*kEncode[kDelta16MaxLowBits + 1])(Delta16EncodeJob&) = {
    encode_groups<0, kAnyDirect>, encode_groups<1, kAnyDirect>, encode_groups<2, kAnyDirect>,
    encode_groups<3, kAnyDirect>, encode_groups<4, kAnyDirect>, encode_groups<5, kAnyDirect>,
    encode_groups<6, kAnyDirect>, encode_groups<7, kAnyDirect>, encode_groups<8, kAnyDirect>};
template <bool kAnyDirect>
constexpr void (*kDecode[kDelta16MaxLowBits + 1])(Delta16DecodeJob&) = {
    decode_groups<0, kAnyDirect>, decode_groups<1, kAnyDirect>, decode_groups<2, kAnyDirect>,
    decode_groups<3, kAnyDirect>, decode_groups<4, kAnyDirect>, decode_groups<5, kAnyDirect>,
    decode_groups<6, kAnyDirect>, decode_groups<7, kAnyDirect>, decode_groups<8, kAnyDirect>};

void encode(Delta16EncodeJob& job) {
  const unsigned low_bits = job.tables->max_low_bits;
  job.tables->any_direct ? kEncode<true>[low_bits](job) : kEncode<false>[low_bits](job);
}

void decode(Delta16DecodeJob& job) {
  const unsigned low_bits = job.tables->max_low_bits;
  job.tables->any_direct ? kDecode<true>[low_bits](job) : kDecode<false>[low_bits](job);
}

}  // namespace

const Delta16Kernels kDelta16Avx512 = {
    .compare = compare, .encode = encode, .find_contexts = find_contexts, .decode = decode};

}  // namespace weightfs::codec
