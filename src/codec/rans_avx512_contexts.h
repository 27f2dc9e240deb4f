// Symbols in contexts that are known, from AVX-512 VBMI2 registers: for rans_avx512.cpp, and for
// kernels that use the symbols at once.
#pragma once

#include "rans_avx512_core.h"
#include "rans_kernels.h"

namespace weightfs::codec::avx512 {

// 128 bytes, looked up by the low 7 bits of each index.
struct Lookup128 {
  __m512i low;
  __m512i high;

  [[gnu::always_inline]] explicit Lookup128(const std::uint8_t* table)
      : low(_mm512_load_si512(table)), high(_mm512_load_si512(table + 64)) {}
  [[gnu::always_inline]] __m512i operator()(__m512i index) const {
    return _mm512_permutex2var_epi8(low, index, high);
  }
};

// Four tables of 128 slots, one chosen for each lane by its context.
struct ContextDecodeTable {
  Lookup128 symbol0, symbol1, symbol2, symbol3;
  Lookup128 frequency;
  Lookup128 start;

  [[gnu::always_inline]] explicit ContextDecodeTable(const RansContextDecodeTable& table)
      : symbol0(table.symbol),
        symbol1(table.symbol + kRansSlots),
        symbol2(table.symbol + 2 * kRansSlots),
        symbol3(table.symbol + 3 * kRansSlots),
        frequency(table.frequency),
        start(table.start) {}

  // The context in the highest two bits of each byte.
  [[gnu::always_inline]] __m512i symbols(__m512i slots, __m512i contexts) const {
    const __mmask64 odd = _mm512_test_epi8_mask(contexts, _mm512_set1_epi8(0x40));
    const __mmask64 upper = _mm512_movepi8_mask(contexts);
    const __m512i of01 = _mm512_mask_mov_epi8(symbol0(slots), odd, symbol1(slots));
    const __m512i of23 = _mm512_mask_mov_epi8(symbol2(slots), odd, symbol3(slots));
    return _mm512_mask_mov_epi8(of01, upper, of23);
  }
};

// context * 32 + symbol, contexts as above.
[[gnu::always_inline]] inline __m512i context_codes(__m512i contexts, __m512i symbols) {
  // symbols | (shifted & 0x60)
  return _mm512_ternarylogic_epi32(symbols, _mm512_srli_epi16(contexts, 1), _mm512_set1_epi8(0x60),
                                   0xF8);
}

// The next 64 symbols, in contexts that the highest two bits of each byte say; others are ignored.
// Reads 64 bytes at `in` and takes at most as many.
[[gnu::always_inline]] inline __m512i decode_contexts(States& x, const ContextDecodeTable& table,
                                                      __m512i contexts, const std::byte*& in) {
  const __m512i slots =
      _mm512_and_si512(join_low(x), _mm512_set1_epi8(static_cast<char>(kRansSlots - 1)));
  const __m512i symbols = table.symbols(slots, contexts);
  const __m512i codes = context_codes(contexts, symbols);
  advance(x, table.frequency(codes), _mm512_sub_epi8(slots, table.start(codes)), in);
  return symbols;
}

}  // namespace weightfs::codec::avx512
