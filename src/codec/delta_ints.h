// Integers, fp8, quantized blocks and other bytes against a base: their differences, by columns.
//
// Stream:
//     u8      how blocks differ: 1, 2, 4 or 8: little-endian integers of so many bytes, the value
//     less
//             the base's modulo 2^bits, with the sign moved to the lowest bit (0, -1, 1, -2, ...
//             are 0, 1, 2, 3, ...); 0: bytes, exclusive or
//     ints    the stream of ints_codec.h of the difference, a block of the same size, whose last
//     bytes
//             that fill no integer are the block's own
#pragma once

#include <optional>

#include "ints_codec.h"

namespace weightfs::codec {

struct DeltaIntsScratch {
  ScratchBuffer difference;
  IntsScratch ints;
};

// Appends the stream of `raw` against `base`, of the same size, if a sample says that it will take
// less than `worthwhile_bytes`; returns whether it did.
bool encode_delta_ints(ByteSpan raw, ByteSpan base, Dtype dtype, double worthwhile_bytes,
                       DeltaIntsScratch& scratch, StreamWriter& out, Isa isa = active_isa());

// Reads a stream that makes exactly `out` from `base`, of the same size.
Status decode_delta_ints(ByteReader& in, ByteSpan base, MutableByteSpan out,
                         DeltaIntsScratch& scratch, Isa isa = active_isa());

}  // namespace weightfs::codec
