// Floats against a base of the same format: the distance in representable values, by what the
// base's exponent says of it (delta_kernels.h has the formulas, delta_model.h the fit).
//
// Stream, for G = floor(size / (64 E)) groups of 64 values of E bytes:
//     varint  how many groups differ from the base's; D
//     bitmap  only if 0 < D < G: ceil(G / 8) bytes, bit g % 8 of byte g / 8 set where group g
//     differs only if D > 0, of the groups that differ, in order:
//       plan     as delta_plan.h says
//       varint   size of the low bytes, and they
//       varint   size of the low bits in bytes, and they; the last byte filled up with zeros
//       varint   size of the escapes in bytes, and they: for each symbol that is the escape the
//                value; but of 16 bits the distance, an i8 of -127..127, or -128 and the value
//       symbols  a context stream of rans.h, of 64 D symbols
//     bytes   the rest of the block as it is
// Within a group everything is in woven order. Groups that don't differ are the base's.
#pragma once

#include <optional>
#include <vector>

#include "delta_plan.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

struct DeltaFloatsScratch {
  std::vector<std::uint64_t> changed;
  std::vector<std::uint32_t> groups;
  std::vector<std::uint64_t> escaped;
  ScratchBuffer symbols;
  ScratchBuffer contexts;
  ScratchBuffer low_bytes;
  ScratchBuffer low_bits;
  ScratchBuffer escapes;
  RansScratch rans;
};

// How the block `raw` is coded best against `base`, of the same size. Leaves in the scratch which
// groups differ, for the call that follows.
struct DeltaFloatsChoice {
  std::optional<DeltaPlan> plan;  // none where no group differs
  double estimated_bytes = 0;
};
DeltaFloatsChoice choose_delta_floats(ByteSpan raw, ByteSpan base, DeltaFloat format,
                                      DeltaFloatsScratch& scratch, Isa isa = active_isa());

// Appends the stream of `raw`, by a choice made with the same arguments and scratch.
void encode_delta_floats(ByteSpan raw, ByteSpan base, DeltaFloat format,
                         const DeltaFloatsChoice& choice, DeltaFloatsScratch& scratch,
                         StreamWriter& out, Isa isa = active_isa());

// Reads a stream that makes exactly `out` from `base`, of the same size.
Status decode_delta_floats(ByteReader& in, ByteSpan base, DeltaFloat format, MutableByteSpan out,
                           DeltaFloatsScratch& scratch, Isa isa = active_isa());

}  // namespace weightfs::codec
