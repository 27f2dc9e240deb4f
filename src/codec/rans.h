// rANS streams of byte planes: what the codecs put into their own streams.
//
// A plane stream (any symbols):
//     u8      tables - 1 in bits 0..2 (tables are 1..8), bit 3 set if there are several, lane code
//             in bits 4..5 (0: 8, 1: 64, 2: 128)
//     tables  as rans_table.h writes them
//     groups  only with several tables: for each 128 symbols the number of its table in 3 bits,
//             packed low bits first, into ceil(3 * groups / 8) bytes
//     coded   (below)
//     escapes as escapes.h writes them
// A context stream (symbols 0..31, the context 0..3 of each known beforehand):
//     u8      lane code in bits 4..5, all else 0
//     tables  four, for contexts 0..3, over 32 symbols each, without escape
//     coded
// where coded is
//     varint  size of the renormalisation bytes
//     u16     final encoder state of each lane, little-endian, 256 or more
//     bytes   the renormalisation bytes, in the order in which decoding takes them
// Both code the symbols followed by copies of the last one, up to a multiple of 64. How states and
// bytes become symbols is in rans_kernels.h. A decoder must find every state at 256 and every byte
// and escape used at the end.
//
// Thread-safe, as long as each thread has its own RansScratch.
#pragma once

#include <vector>

#include "buffers.h"
#include "rans_kernels.h"
#include "rans_table.h"
#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

// The length that a plane of `count` symbols has for the kernels. Buffers for symbols and contexts
// must have that many bytes.
constexpr std::size_t rans_padded(std::size_t count) {
  return (count + kRansVector - 1) / kRansVector * kRansVector;
}
// No stream of `count` symbols is longer.
constexpr std::size_t rans_capacity(std::size_t count) {
  return 4 * rans_padded(count) + 8192;
}

struct RansScratch {
  ScratchBuffer bytes;
  ScratchBuffer escapes;
  ScratchBuffer groups;
};

// Which tables code a plane, and which of them each group of 128 symbols; with one table the list
// of groups is not looked at. Chosen by rans_model.h or by the caller.
struct RansModel {
  std::array<RansTable, kRansMaxTables> tables;
  std::size_t table_count = 1;
  std::vector<std::byte> table_of_group;
};

// Appends the stream of `symbols`. The buffer behind the span must reach to rans_padded(size): the
// bytes there are overwritten. Nothing may be empty. `out` fails if it has too little room.
void encode_rans_plane(MutableByteSpan symbols, const RansModel& model, RansScratch& scratch,
                       StreamWriter& out, Isa isa = active_isa());

// Reads a stream of `symbols.size()` symbols; the buffer must reach as above.
Status decode_rans_plane(ByteReader& in, MutableByteSpan symbols, RansScratch& scratch,
                         Isa isa = active_isa());

// Frequencies of 32 symbols in each of 4 contexts.
struct RansContextModel {
  std::array<std::array<std::uint8_t, kRansContextSymbols>, kRansContexts> frequency{};

  // From counts; every symbol that may come must have been counted once at least. A context without
  // counts gets some table.
  static RansContextModel from_counts(
      const std::array<std::array<std::uint32_t, kRansContextSymbols>, kRansContexts>& counts);
};

// Appends the stream of symbols that must have frequencies in their contexts: each of `codes` is
// context * kRansContextSymbols + symbol. The buffer must reach to rans_padded(size) and is
// overwritten there.
void encode_rans_contexts(MutableByteSpan codes, const RansContextModel& model,
                          RansScratch& scratch, StreamWriter& out, Isa isa = active_isa());

// Reads a stream of `symbols.size()` symbols, given as many contexts. Symbols have a frequency, and
// so are less than 32, whatever the stream holds.
Status decode_rans_contexts(ByteReader& in, MutableByteSpan contexts, MutableByteSpan symbols,
                            Isa isa = active_isa());

}  // namespace weightfs::codec
