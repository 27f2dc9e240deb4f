// The rANS decoder for AVX2: 8 lanes to a register, a table entry gathered for each. It reads what
// other machines wrote; encoding is the scalar kernel's, since machines of this kind write the
// fixed-width codes of cascade.h. Compiled with these instructions; called only where the CPU has
// them.
#include <immintrin.h>

#include <cstring>

#include "rans_kernels.h"

namespace weightfs::codec {
namespace {

constexpr unsigned kLanesOfRegister = 8;
constexpr unsigned kRegisters = kRansVector / kLanesOfRegister;

// For each mask of 8 bits, the shuffle that gives the set bits the next bytes in turn, and others
// zero.
struct ExpandShuffles {
  alignas(64) std::uint8_t of[256][8];

  constexpr ExpandShuffles() : of() {
    for (unsigned mask = 0; mask < 256; ++mask) {
      std::uint8_t next = 0;
      for (unsigned bit = 0; bit < 8; ++bit) {
        of[mask][bit] = (mask >> bit & 1) != 0 ? next++ : std::uint8_t{0x80};
      }
    }
  }
};
constexpr ExpandShuffles kExpand;

// A slot's frequency in byte 0, its symbol in byte 1, its bias in byte 2.
struct alignas(32) GatherTable {
  std::int32_t entry[kRansSlots];
  std::uint8_t escape_symbol;
};

void fill(const RansDecodeTable& table, GatherTable& target) {
  for (unsigned slot = 0; slot < kRansSlots; ++slot) {
    target.entry[slot] = table.frequency[slot] | table.symbol[slot] << 8 | table.bias[slot] << 16;
  }
  target.escape_symbol = table.escape_symbol;
}

__m256i load_states(const std::uint16_t* states) {
  return _mm256_cvtepu16_epi32(
      _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(states))));
}
void store_states(__m256i x, std::uint16_t* states) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0x08);
  _mm_storeu_si128(static_cast<__m128i*>(static_cast<void*>(states)),
                   _mm256_castsi256_si128(packed));
}

// x = frequency * (x / 128) + bias, refilled from `in`; reads 8 bytes there.
[[gnu::always_inline]] inline __m256i advance(__m256i x, __m256i entry, const std::byte*& in) {
  const __m256i frequency = _mm256_and_si256(entry, _mm256_set1_epi32(0xFF));
  x = _mm256_mullo_epi16(_mm256_srli_epi32(x, 7), frequency);
  x = _mm256_add_epi32(x, _mm256_srli_epi32(entry, 16));
  const __m256i low = _mm256_cmpgt_epi32(_mm256_set1_epi32(256), x);
  const auto mask = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(low)));
  const __m128i bytes = _mm_loadl_epi64(static_cast<const __m128i*>(static_cast<const void*>(in)));
  const __m128i shuffle =
      _mm_loadl_epi64(static_cast<const __m128i*>(static_cast<const void*>(kExpand.of[mask])));
  in += _mm_popcnt_u32(mask);
  const __m256i shifted = _mm256_sllv_epi32(x, _mm256_and_si256(low, _mm256_set1_epi32(8)));
  return _mm256_or_si256(shifted, _mm256_cvtepu8_epi32(_mm_shuffle_epi8(bytes, shuffle)));
}

// The symbols of 8 entries.
[[gnu::always_inline]] inline std::uint64_t symbols_of(__m256i entry) {
  const __m256i second_bytes =
      _mm256_setr_epi8(1, 5, 9, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 5, 9, 13, -1,
                       -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i gathered = _mm256_shuffle_epi8(entry, second_bytes);
  const auto low = static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm256_castsi256_si128(gathered)));
  const auto high =
      static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm256_extracti128_si256(gathered, 1)));
  return low | std::uint64_t{high} << 32;
}

// Replaces the escapes among 64 symbols by what is stored for them.
void put_escapes(std::byte* symbols, std::uint8_t escape_symbol, const std::byte*& escapes) {
  const __m256i wanted = _mm256_set1_epi8(static_cast<char>(escape_symbol));
  for (unsigned half = 0; half < kRansVector; half += 32) {
    const __m256i found =
        _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(symbols + half)));
    auto mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(found, wanted)));
    for (; mask != 0; mask = _blsr_u32(mask)) symbols[half + _tzcnt_u32(mask)] = *escapes++;
  }
}

// 64 symbols, whose states are `states`.
void decode_vector(std::uint16_t* states, const GatherTable& table, RansDecodeJob& job,
                   std::byte* symbols) {
#pragma GCC unroll 8
  for (unsigned i = 0; i < kRegisters; ++i) {
    const __m256i x = load_states(states + kLanesOfRegister * i);
    const __m256i slots = _mm256_and_si256(x, _mm256_set1_epi32(kRansSlots - 1));
    const __m256i entry = _mm256_i32gather_epi32(table.entry, slots, 4);
    store_states(advance(x, entry, job.in), states + kLanesOfRegister * i);
    const std::uint64_t found = symbols_of(entry);
    std::memcpy(symbols + kLanesOfRegister * i, &found, sizeof found);
  }
  put_escapes(symbols, table.escape_symbol, job.escapes);
}

void decode(RansDecodeJob& caller_job) {
  RansDecodeJob job = caller_job;
  GatherTable tables[kRansMaxTables];
  std::uint8_t filled = 0;
  while (job.count > 0 && job.in_end - job.in >= static_cast<std::ptrdiff_t>(kRansReadAhead) &&
         job.escapes <= job.escapes_end) {
    const auto wanted = static_cast<unsigned>(*job.table_of_group++);
    GatherTable& table = tables[wanted];
    if ((filled >> wanted & 1) == 0) fill(job.tables[wanted], table);
    filled = static_cast<std::uint8_t>(filled | 1U << wanted);
    for (std::size_t done = 0; done < kRansGroup && job.count > 0; done += kRansVector) {
      decode_vector(job.states + done % job.lanes, table, job, job.symbols);
      job.symbols += kRansVector;
      job.count -= kRansVector;
    }
  }
  caller_job = job;
}

// For each context and slot an entry as above, but for the escape, which contexts don't have.
struct alignas(32) ContextGatherTable {
  std::int32_t entry[kRansContexts * kRansSlots];

  explicit ContextGatherTable(const RansContextDecodeTable& table) {
    for (unsigned i = 0; i < kRansContexts * kRansSlots; ++i) {
      const unsigned symbol = table.symbol[i];
      const unsigned code = i / kRansSlots * kRansContextSymbols + symbol;
      const auto bias = static_cast<std::uint8_t>(i % kRansSlots - table.start[code]);
      entry[i] = static_cast<std::int32_t>(table.frequency[code] | symbol << 8 | bias << 16);
    }
  }
};

// 8 symbols, whose states are `states`.
[[gnu::always_inline]] inline void decode_context_register(std::uint16_t* states,
                                                           const ContextGatherTable& table,
                                                           RansContextDecodeJob& job, unsigned at) {
  const __m256i x = load_states(states);
  const __m256i contexts = _mm256_cvtepu8_epi32(
      _mm_loadl_epi64(static_cast<const __m128i*>(static_cast<const void*>(job.contexts + at))));
  const __m256i of_context = _mm256_slli_epi32(_mm256_and_si256(contexts, _mm256_set1_epi32(3)), 7);
  const __m256i slots = _mm256_and_si256(x, _mm256_set1_epi32(kRansSlots - 1));
  const __m256i entry = _mm256_i32gather_epi32(table.entry, _mm256_or_si256(of_context, slots), 4);
  store_states(advance(x, entry, job.in), states);
  const std::uint64_t found = symbols_of(entry);
  std::memcpy(job.symbols + at, &found, sizeof found);
}

void decode_contexts(RansContextDecodeJob& caller_job) {
  RansContextDecodeJob job = caller_job;
  const ContextGatherTable table(*job.table);
  while (job.count > 0 && job.in_end - job.in >= static_cast<std::ptrdiff_t>(kRansReadAhead)) {
    for (std::size_t done = 0; done < kRansGroup && job.count > 0; done += kRansVector) {
      std::uint16_t* states = job.states + done % job.lanes;
#pragma GCC unroll 8
      for (unsigned i = 0; i < kRansVector; i += kLanesOfRegister) {
        decode_context_register(states + i, table, job, i);
      }
      job.contexts += kRansVector;
      job.symbols += kRansVector;
      job.count -= kRansVector;
    }
  }
  caller_job = job;
}

}  // namespace

const RansDecode kRansAvx2Decode = decode;
const RansContextDecode kRansAvx2DecodeContexts = decode_contexts;

}  // namespace weightfs::codec
