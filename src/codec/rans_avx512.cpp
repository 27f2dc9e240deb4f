// The rANS kernels for AVX-512 VBMI2. Tables of 128 entries lie in two registers and are read by
// byte permutes, so that no lane touches memory. Compiled with these instructions; called only
// where the CPU has them.
#include "rans_avx512_contexts.h"
#include "rans_kernels.h"

namespace weightfs::codec {
namespace {

using avx512::Codes;
using avx512::ContextDecodeTable;
using avx512::Lookup128;
using avx512::States;

struct DecodeTable {
  Lookup128 frequency;
  Lookup128 bias;
  Lookup128 symbol;
  __m512i escape_symbol;

  [[gnu::always_inline]] explicit DecodeTable(const RansDecodeTable& table)
      : frequency(table.frequency),
        bias(table.bias),
        symbol(table.symbol),
        escape_symbol(_mm512_set1_epi8(static_cast<char>(table.escape_symbol))) {}
};

[[gnu::always_inline]] inline void decode_vector(States& x, const DecodeTable& table,
                                                 RansDecodeJob& job, std::byte* symbols) {
  const __m512i slots = avx512::join_low(x);
  __m512i found = table.symbol(slots);
  avx512::advance(x, table.frequency(slots), table.bias(slots), job.in);
  const __mmask64 escaped = _mm512_cmpeq_epi8_mask(found, table.escape_symbol);
  if (__builtin_expect(escaped != 0, 0)) {
    found = _mm512_mask_expand_epi8(found, escaped, _mm512_loadu_si512(job.escapes));
    job.escapes += _mm_popcnt_u64(escaped);
  }
  _mm512_storeu_si512(symbols, found);
}

bool may_go_on(const std::byte* in, const std::byte* in_end) {
  return in_end - in >= static_cast<std::ptrdiff_t>(kRansReadAhead);
}

std::size_t vectors_of_group(std::size_t count) {
  return count < kRansGroup ? count / kRansVector : kRansGroup / kRansVector;
}

// `kPairs` vectors of lanes.
template <unsigned kPairs>
void decode_lanes(RansDecodeJob& caller_job) {
  RansDecodeJob job = caller_job;
  States x[kPairs];
  for (unsigned i = 0; i < kPairs; ++i) x[i] = avx512::load_states(job.states + 64 * i);
  while (job.count > 0 && may_go_on(job.in, job.in_end) && job.escapes <= job.escapes_end) {
    const DecodeTable table(job.tables[static_cast<std::size_t>(*job.table_of_group++)]);
    const std::size_t vectors = vectors_of_group(job.count);
    decode_vector(x[0], table, job, job.symbols);
    if (vectors == 2) decode_vector(x[1 % kPairs], table, job, job.symbols + kRansVector);
    job.symbols += vectors * kRansVector;
    job.count -= vectors * kRansVector;
  }
  for (unsigned i = 0; i < kPairs; ++i) avx512::store_states(x[i], job.states + 64 * i);
  caller_job = job;
}

void decode(RansDecodeJob& job) {
  if (job.lanes == 64) return decode_lanes<1>(job);
  decode_lanes<2>(job);
}

struct EncodeTable {
  Lookup128 code_low;
  Lookup128 code_high;
  Codes by_code;
  __m512i escape_code;

  [[gnu::always_inline]] explicit EncodeTable(const RansEncodeTable& table)
      : code_low(table.code),
        code_high(table.code + 128),
        by_code{_mm512_load_si512(table.frequency), _mm512_load_si512(table.start),
                _mm512_load_si512(table.reciprocal_low), _mm512_load_si512(table.reciprocal_high)},
        escape_code(_mm512_set1_epi8(static_cast<char>(table.escape_code))) {}

  [[gnu::always_inline]] __m512i code_of(__m512i symbols) const {
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(symbols), code_low(symbols),
                                  code_high(symbols));
  }
  [[gnu::always_inline]] Codes look_up(__m512i code) const {
    return {_mm512_permutexvar_epi8(code, by_code.frequency),
            _mm512_permutexvar_epi8(code, by_code.start),
            _mm512_permutexvar_epi8(code, by_code.reciprocal_low),
            _mm512_permutexvar_epi8(code, by_code.reciprocal_high)};
  }
};

[[gnu::always_inline]] inline void encode_vector(States& x, const EncodeTable& table,
                                                 RansEncodeJob& job, const std::byte* source) {
  const __m512i symbols = _mm512_loadu_si512(source);
  const __m512i code = table.code_of(symbols);
  const __mmask64 escaped = _mm512_cmpeq_epi8_mask(code, table.escape_code);
  if (__builtin_expect(escaped != 0, 0)) {
    const auto count = static_cast<unsigned>(_mm_popcnt_u64(escaped));
    job.escapes -= count;
    _mm512_mask_storeu_epi8(job.escapes, _bzhi_u64(~0ULL, count),
                            _mm512_maskz_compress_epi8(escaped, symbols));
  }
  avx512::retreat(x, table.look_up(code), job.out);
}

template <unsigned kPairs>
void encode_lanes(RansEncodeJob& caller_job) {
  RansEncodeJob job = caller_job;
  States x[kPairs];
  for (unsigned i = 0; i < kPairs; ++i) x[i] = avx512::load_states(job.states + 64 * i);
  for (std::size_t group = (job.count + kRansGroup - 1) / kRansGroup; group-- > 0;) {
    const EncodeTable table(job.tables[static_cast<std::size_t>(job.table_of_group[group])]);
    const std::byte* symbols = job.symbols + group * kRansGroup;
    const std::size_t vectors = vectors_of_group(job.count - group * kRansGroup);
    if (vectors == 2) encode_vector(x[1 % kPairs], table, job, symbols + kRansVector);
    encode_vector(x[0], table, job, symbols);
  }
  for (unsigned i = 0; i < kPairs; ++i) avx512::store_states(x[i], job.states + 64 * i);
  caller_job = job;
}

void encode(RansEncodeJob& job) {
  if (job.lanes == 64) return encode_lanes<1>(job);
  encode_lanes<2>(job);
}

template <unsigned kPairs>
void decode_context_lanes(RansContextDecodeJob& caller_job) {
  RansContextDecodeJob job = caller_job;
  const ContextDecodeTable table(*job.table);
  States x[kPairs];
  for (unsigned i = 0; i < kPairs; ++i) x[i] = avx512::load_states(job.states + 64 * i);
  while (job.count > 0 && may_go_on(job.in, job.in_end)) {
    const std::size_t vectors = vectors_of_group(job.count);
#pragma GCC unroll 2
    for (unsigned v = 0; v < 2; ++v) {
      if (v >= vectors) continue;
      const __m512i contexts =
          _mm512_slli_epi16(_mm512_loadu_si512(job.contexts + kRansVector * v), 6);
      const __m512i symbols = avx512::decode_contexts(x[v % kPairs], table, contexts, job.in);
      _mm512_storeu_si512(job.symbols + kRansVector * v, symbols);
    }
    job.contexts += vectors * kRansVector;
    job.symbols += vectors * kRansVector;
    job.count -= vectors * kRansVector;
  }
  for (unsigned i = 0; i < kPairs; ++i) avx512::store_states(x[i], job.states + 64 * i);
  caller_job = job;
}

void decode_contexts(RansContextDecodeJob& job) {
  if (job.lanes == 64) return decode_context_lanes<1>(job);
  decode_context_lanes<2>(job);
}

struct ContextEncodeTable {
  Lookup128 frequency, start, reciprocal_low, reciprocal_high;

  [[gnu::always_inline]] explicit ContextEncodeTable(const RansContextEncodeTable& table)
      : frequency(table.frequency),
        start(table.start),
        reciprocal_low(table.reciprocal_low),
        reciprocal_high(table.reciprocal_high) {}
};

template <unsigned kPairs>
void encode_context_lanes(RansContextEncodeJob& caller_job) {
  RansContextEncodeJob job = caller_job;
  const ContextEncodeTable table(*job.table);
  States x[kPairs];
  for (unsigned i = 0; i < kPairs; ++i) x[i] = avx512::load_states(job.states + 64 * i);
  for (std::size_t group = (job.count + kRansGroup - 1) / kRansGroup; group-- > 0;) {
    const std::size_t vectors = vectors_of_group(job.count - group * kRansGroup);
#pragma GCC unroll 2
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned v = 1 - i;
      if (v >= vectors) continue;
      const std::size_t at = group * kRansGroup + kRansVector * v;
      const __m512i codes = _mm512_loadu_si512(job.codes + at);
      const Codes by_lane = {table.frequency(codes), table.start(codes),
                             table.reciprocal_low(codes), table.reciprocal_high(codes)};
      avx512::retreat(x[v % kPairs], by_lane, job.out);
    }
  }
  for (unsigned i = 0; i < kPairs; ++i) avx512::store_states(x[i], job.states + 64 * i);
  caller_job = job;
}

void encode_contexts(RansContextEncodeJob& job) {
  if (job.lanes == 64) return encode_context_lanes<1>(job);
  encode_context_lanes<2>(job);
}

}  // namespace

const RansKernels kRansAvx512 = {.decode = decode,
                                 .encode = encode,
                                 .decode_contexts = decode_contexts,
                                 .encode_contexts = encode_contexts};

}  // namespace weightfs::codec
