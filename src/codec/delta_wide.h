// fp32 and fp64 against a base of the same format: the distance in representable values, by what
// the base's exponent says of it (delta_model.h). Optimizer state is fp32 too.
//
// For a value w of B bits with M bits of mantissa, and its base v, all modulo 2^B:
//     magnitude(v) = v without its sign;  exponent(v) = magnitude(v) >> M
//     line(w)      = w with its sign flipped if v is negative; a negative one as -1 - magnitude
//     d            = line(w) - magnitude(v), signed
// Stream, for N = floor(size / (B / 8)) values:
//     only if N > 0:
//       u16     top_level
//       u16     top_exponent
//       plan    for levels 0 to 63 runs of { u8 context, u8 low bits k, u8 length, 1 or more };
//               context 3 is that of direct values, and has k = M + 1
//       varint  size of the low bits in bytes
//       bytes   low bits: of each value the k low bits of d, or directly its mantissa and above it
//       its
//               sign; low bits of a byte first, the last byte filled up with zeros
//       varint  how many values escape
//       values  of these, as they are
//       symbols a context stream of rans.h: (d >> k) + 15, or directly top_exponent - exponent(w),
//               where that is 0 to 30; 31 for values that escape
//     bytes   the rest of the block as it is
#pragma once

#include <cstdint>

#include "delta_model.h"
#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

struct DeltaWideScratch {
  ScratchBuffer symbols;
  ScratchBuffer contexts;
  ScratchBuffer bits;
  ScratchBuffer escapes;
  RansScratch rans;
};

// How values of `value_bytes` (4 or 8) are coded best; blocks are of the same size, one value at
// least.
DeltaFit fit_delta_wide(ByteSpan raw, ByteSpan base, std::size_t value_bytes);

// Appends the stream of `raw`; `fit` is not looked at if there is no value.
void encode_delta_wide(ByteSpan raw, ByteSpan base, std::size_t value_bytes, const DeltaFit& fit,
                       DeltaWideScratch& scratch, StreamWriter& out, Isa isa = active_isa());

// Reads a stream that makes exactly `out` from `base`, of the same size.
Status decode_delta_wide(ByteReader& in, ByteSpan base, std::size_t value_bytes,
                         MutableByteSpan out, DeltaWideScratch& scratch, Isa isa = active_isa());

}  // namespace weightfs::codec
