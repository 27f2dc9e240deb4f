// Integers, quantized blocks and other bytes by columns: each byte of an integer, the scales and
// the quants of a block, is coded as what it is.
//
// Stream, for U = floor(size / unit_bytes) units:
//     varint  unit_bytes, 1 to 4096
//     only if U > 0:
//       columns, until their bytes add up to unit_bytes, runs of { varint length of the run, varint
//               bytes, u8 kind }; kind 0 to 7: that many low bits are a plane of their own; 8:
//               nibbles
//       planes  of each column in order, of U * bytes symbols (unit by unit) each: of kind 0 the
//       bytes;
//               of kinds 1 to 7 the bytes shifted right by the low bits, and the low bits; of kind
//               8 the low nibbles, and the high ones; as plane_coder.h writes them
//     bytes   the rest of the block as it is
#pragma once

#include "ints_plan.h"
#include "plane_coder.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

struct IntsScratch {
  ScratchBuffer column;
  ScratchBuffer first;
  ScratchBuffer second;
  PlaneScratch coder;
};

// Appends the stream of `raw`. `out` fails if it has too little room.
void encode_ints(ByteSpan raw, const IntsPlan& plan, const PlaneOptions& options,
                 IntsScratch& scratch, StreamWriter& out, Isa isa = active_isa());

// Reads a stream that makes exactly `out`.
Status decode_ints(ByteReader& in, MutableByteSpan out, IntsScratch& scratch,
                   Isa isa = active_isa());

}  // namespace weightfs::codec
