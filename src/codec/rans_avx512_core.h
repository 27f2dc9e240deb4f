// One step of 64 rANS lanes in AVX-512 VBMI2 registers (rans_kernels.h has the arithmetic).
//
// The 64 states of 16 bits lie in two registers: those of even lanes in `even`, those of odd lanes
// in `odd`, so that the two bytes of a 16-bit element, once combined, are neighbouring lanes.
// Whatever goes by lane (slots, symbols, frequencies) is one register of 64 bytes in the order of
// lanes. Only for files that are compiled with these instructions.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace weightfs::codec::avx512 {

struct States {
  __m512i even;
  __m512i odd;
};

inline __m512i low_bytes() {
  return _mm512_set1_epi16(0x00FF);
}

// Even bytes from `even`, odd bytes from `odd`.
[[gnu::always_inline]] inline __m512i join_bytes(__m512i even, __m512i odd) {
  return _mm512_ternarylogic_epi32(low_bytes(), even, odd, 0xCA);
}
// The low bytes of both halves' elements, in the order of lanes.
[[gnu::always_inline]] inline __m512i join_low(States x) {
  return join_bytes(x.even, _mm512_slli_epi16(x.odd, 8));
}
// The bytes of `lanes` as 16-bit elements.
[[gnu::always_inline]] inline States widen(__m512i lanes) {
  return {_mm512_and_si512(lanes, low_bytes()), _mm512_srli_epi16(lanes, 8)};
}

[[gnu::always_inline]] inline States load_states(const std::uint16_t* states) {
  const __m512i a = _mm512_loadu_si512(states);
  const __m512i b = _mm512_loadu_si512(states + 32);
  alignas(64) std::uint16_t pick[64];
  for (unsigned i = 0; i < 32; ++i) {
    pick[i] = static_cast<std::uint16_t>(2 * i);
    pick[32 + i] = static_cast<std::uint16_t>(2 * i + 1);
  }
  return {_mm512_permutex2var_epi16(a, _mm512_load_si512(pick), b),
          _mm512_permutex2var_epi16(a, _mm512_load_si512(pick + 32), b)};
}

[[gnu::always_inline]] inline void store_states(States x, std::uint16_t* states) {
  alignas(64) std::uint16_t even[32];
  alignas(64) std::uint16_t odd[32];
  _mm512_store_si512(even, x.even);
  _mm512_store_si512(odd, x.odd);
  for (unsigned i = 0; i < 32; ++i) {
    states[2 * i] = even[i];
    states[2 * i + 1] = odd[i];
  }
}

// The states after their symbols: x = frequency * (x / 128) + bias, then a byte from `in` for each
// that fell below 256. Reads 64 bytes at `in` and takes at most 64.
[[gnu::always_inline]] inline void advance(States& x, __m512i frequency, __m512i bias,
                                           const std::byte*& in) {
  const States f = widen(frequency);
  const States b = widen(bias);
  __m512i even = _mm512_add_epi16(_mm512_mullo_epi16(_mm512_srli_epi16(x.even, 7), f.even), b.even);
  __m512i odd = _mm512_add_epi16(_mm512_mullo_epi16(_mm512_srli_epi16(x.odd, 7), f.odd), b.odd);
  const __m512i high_bytes = join_bytes(_mm512_srli_epi16(even, 8), odd);
  const __mmask64 low = _mm512_testn_epi8_mask(high_bytes, high_bytes);
  const __m512i refill = _mm512_maskz_expand_epi8(low, _mm512_loadu_si512(in));
  in += _mm_popcnt_u64(low);
  const __m512i high = _mm512_set1_epi16(static_cast<short>(0xFF00));
  const __mmask32 low_even = _mm512_testn_epi16_mask(even, high);
  const __mmask32 low_odd = _mm512_testn_epi16_mask(odd, high);
  even = _mm512_mask_slli_epi16(even, low_even, even, 8);
  odd = _mm512_mask_slli_epi16(odd, low_odd, odd, 8);
  x.even = _mm512_ternarylogic_epi32(even, refill, low_bytes(), 0xF8);  // even | (refill & low)
  x.odd = _mm512_or_si512(odd, _mm512_srli_epi16(refill, 8));
}

// What the encoder knows of 64 symbols.
struct Codes {
  __m512i frequency;
  __m512i start;
  __m512i reciprocal_low;
  __m512i reciprocal_high;
};

// x = 128 (x / f) + x % f + start, by the reciprocal: its quotient is one too small at most.
[[gnu::always_inline]] inline __m512i push(__m512i x, __m512i f, __m512i start,
                                           __m512i reciprocal) {
  const __m512i quotient = _mm512_mulhi_epu16(x, reciprocal);
  __m512i rest = _mm512_sub_epi16(x, _mm512_mullo_epi16(quotient, f));
  const __mmask32 small = _mm512_cmpge_epu16_mask(rest, f);
  const __m512i correction = _mm512_sub_epi16(_mm512_set1_epi16(128), f);
  rest = _mm512_mask_add_epi16(rest, small, rest, correction);
  return _mm512_add_epi16(_mm512_add_epi16(rest, start), _mm512_slli_epi16(quotient, 7));
}

// The states before their symbols; the bytes that they shed go before `out`, which moves there.
[[gnu::always_inline]] inline void retreat(States& x, const Codes& codes, std::byte*& out) {
  const States f = widen(codes.frequency);
  const States start = widen(codes.start);
  const __m512i even9 = _mm512_srli_epi16(x.even, 9);
  const __m512i odd9 = _mm512_srli_epi16(x.odd, 9);
  const __mmask64 spill =
      _mm512_cmpge_epu8_mask(_mm512_or_si512(even9, _mm512_slli_epi16(odd9, 8)), codes.frequency);
  const __m512i bytes = _mm512_maskz_compress_epi8(spill, join_low(x));
  const auto count = static_cast<unsigned>(_mm_popcnt_u64(spill));
  out -= count;
  _mm512_mask_storeu_epi8(out, _bzhi_u64(~0ULL, count), bytes);
  const __mmask32 spill_even = _mm512_cmpge_epu16_mask(even9, f.even);
  const __mmask32 spill_odd = _mm512_cmpge_epu16_mask(odd9, f.odd);
  const __m512i even = _mm512_mask_srli_epi16(x.even, spill_even, x.even, 8);
  const __m512i odd = _mm512_mask_srli_epi16(x.odd, spill_odd, x.odd, 8);
  const __m512i reciprocal_even =
      join_bytes(codes.reciprocal_low, _mm512_slli_epi16(codes.reciprocal_high, 8));
  const __m512i reciprocal_odd =
      join_bytes(_mm512_srli_epi16(codes.reciprocal_low, 8), codes.reciprocal_high);
  x.even = push(even, f.even, start.even, reciprocal_even);
  x.odd = push(odd, f.odd, start.odd, reciprocal_odd);
}

}  // namespace weightfs::codec::avx512
