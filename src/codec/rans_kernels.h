// The inner loops of rANS, one implementation an instruction set, all giving the same bytes.
//
// The coder (after Duda, arXiv:1311.2540, and Giesen, arXiv:1402.3392): 16-bit states in [256,
// 65536), renormalised by single bytes, frequencies in 128ths. Symbol i is coded by lane i % lanes.
// Decoding one symbol with state x:
//     slot = x % 128;  x = frequency[slot] * (x / 128) + bias[slot];  if (x < 256) x = 256 x + next
//     byte
// for i = 0, 1, 2, ...; so a vector of neighbouring lanes takes its bytes in the order of lanes.
// Encoding runs backwards and starts all states at 256, where the decoder must find them again at
// the end.
//
// These structs cross from ordinary code into files that are compiled for more than the baseline
// CPU; such files use nothing of the standard library but memcpy, lest the linker keep their
// instance of an inline function. Kernels only look at what they are given, and check nothing but
// what is said here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "isa.h"
#include "rans_table.h"

namespace weightfs::codec {

// Symbols come in vectors of 64 and groups of 128; counts that kernels see are multiples of 64.
constexpr std::size_t kRansVector = 64;
constexpr std::size_t kRansGroup = 128;
constexpr std::size_t kRansMaxLanes = 128;
constexpr std::size_t kRansMaxTables = 8;
// Two groups of symbols read no further ahead than this in their stream and their escapes.
constexpr std::size_t kRansReadAhead = 2 * kRansGroup + kRansVector;

// Lanes that a stream may have.
constexpr std::size_t kRansLaneCounts[] = {8, 64, 128};

struct RansDecodeJob {
  const std::byte* in;  // advanced
  const std::byte* in_end;
  const std::byte* escapes;  // advanced; kRansReadAhead bytes are readable behind escapes_end
  const std::byte* escapes_end;
  std::uint16_t* states;  // `lanes` of them, updated
  std::size_t lanes;
  const RansDecodeTable* tables;
  const std::byte* table_of_group;  // one byte a group, each less than the number of tables
  std::byte* symbols;               // advanced
  std::size_t count;                // symbols left: diminished
};
// Decodes whole groups (the last may be shorter) while kRansReadAhead bytes are left of `in` and
// the escapes have not run out. Leaves count > 0 where it stopped before the end.
using RansDecode = void (*)(RansDecodeJob& job);

struct RansEncodeJob {
  const std::byte* symbols;
  std::size_t count;
  std::uint16_t* states;
  std::size_t lanes;
  const RansEncodeTable* tables;
  const std::byte* table_of_group;
  std::byte* out;      // written backwards, decreased; `count` bytes must be free before it
  std::byte* escapes;  // the same
};
using RansEncode = void (*)(RansEncodeJob& job);

// Four alphabets of 32 symbols, one chosen for each symbol by its context.
constexpr unsigned kRansContexts = 4;
constexpr unsigned kRansContextSymbols = 32;
constexpr unsigned kRansContextCodes = kRansContexts * kRansContextSymbols;

// Everything is indexed by context * 32 + symbol, but slots by context * 128 + slot.
struct alignas(64) RansContextDecodeTable {
  std::uint8_t symbol[kRansContexts * kRansSlots];
  std::uint8_t frequency[kRansContextCodes];
  std::uint8_t start[kRansContextCodes];
};
struct alignas(64) RansContextEncodeTable {
  std::uint8_t frequency[kRansContextCodes];
  std::uint8_t start[kRansContextCodes];
  std::uint8_t reciprocal_low[kRansContextCodes];
  std::uint8_t reciprocal_high[kRansContextCodes];
};

struct RansContextDecodeJob {
  const std::byte* in;  // advanced
  const std::byte* in_end;
  std::uint16_t* states;
  std::size_t lanes;
  const RansContextDecodeTable* table;
  const std::byte* contexts;  // 0..3 each, advanced
  std::byte* symbols;         // advanced
  std::size_t count;          // diminished
};
using RansContextDecode = void (*)(RansContextDecodeJob& job);  // stops as RansDecode does

struct RansContextEncodeJob {
  const std::byte* codes;  // context * 32 + symbol, each with a frequency
  std::size_t count;
  std::uint16_t* states;
  std::size_t lanes;
  const RansContextEncodeTable* table;
  std::byte* out;  // as in RansEncodeJob
};
using RansContextEncode = void (*)(RansContextEncodeJob& job);

struct RansKernels {
  RansDecode decode;
  RansEncode encode;
  RansContextDecode decode_contexts;
  RansContextEncode encode_contexts;
};

// The kernels for an instruction set that this machine has.
const RansKernels& rans_kernels(Isa isa);

// From the files rans_<isa>.cpp. The vector ones expect 64 or 128 lanes.
extern const RansKernels kRansScalar;
extern const RansDecode kRansAvx2Decode;
extern const RansContextDecode kRansAvx2DecodeContexts;
extern const RansKernels kRansAvx512;

}  // namespace weightfs::codec
