// bf16 and fp16 against a base of the same format: how far each value lies from its base, counted
// in representable values, coded by what the base's exponent says of that distance.
//
// Stream, for G = floor(size / 128) groups of 64 values:
//     varint  how many groups differ from the base's; D
//     bitmap  only if 0 < D < G: ceil(G / 8) bytes, bit g % 8 of byte g / 8 set where group g
//     differs only if D > 0, of the groups that differ, in order:
//       plan     as delta_16_model.h says
//       varint   size of the low bits in bytes
//       bytes    low bits: group by group, of each group first bit 0 of all values that have one,
//       then
//                bit 1, ...; low bits of a byte first, the last byte filled up with zeros
//       varint   how many values are coded directly
//       bytes    of these the direct bytes
//       varint   size of the escapes in bytes
//       bytes    for each symbol that is the escape: the distance, an i8 of -127..127; or -128 and
//       the
//                value, a u16
//       symbols  a context stream of rans.h, of 64 D symbols
//     bytes   the rest of the block as it is
// Within a group everything is in woven order (delta_16_kernels.h has that, and the formulas).
// Groups that don't differ are the base's.
#pragma once

#include <optional>
#include <vector>

#include "delta_16_model.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

struct Delta16Scratch {
  std::vector<std::uint64_t> changed;
  std::vector<std::uint32_t> groups;
  std::vector<std::uint64_t> escaped;
  ScratchBuffer symbols;
  ScratchBuffer contexts;
  ScratchBuffer bits;
  ScratchBuffer direct;
  ScratchBuffer escapes;
  RansScratch rans;
};

// How the block `raw` is coded best against `base`, of the same size. `mantissa_bits` is 7 for bf16
// and 10 for fp16. Leaves in the scratch which groups differ, for the call that follows.
struct Delta16Choice {
  std::optional<Delta16Model> model;  // none where no group differs
  double estimated_bytes = 0;
};
Delta16Choice choose_delta_16(ByteSpan raw, ByteSpan base, unsigned mantissa_bits,
                              Delta16Scratch& scratch, Isa isa = active_isa());

// Appends the stream of `raw`, by a choice made with the same arguments and scratch.
void encode_delta_16(ByteSpan raw, ByteSpan base, const Delta16Choice& choice,
                     Delta16Scratch& scratch, StreamWriter& out, Isa isa = active_isa());

// Reads a stream that makes exactly `out` from `base`, of the same size.
Status decode_delta_16(ByteReader& in, ByteSpan base, MutableByteSpan out, Delta16Scratch& scratch,
                       Isa isa = active_isa());

}  // namespace weightfs::codec
