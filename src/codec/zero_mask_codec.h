// Tensors with many zeros: a bit for each element says whether it is zero, and the others are coded
// as floats. Zero is what has no bit set: -0 is not.
//
// Stream:
//     u8      FloatKind, by which the others are coded
//     plane   floor(size / element size) bits, lowest first, in bytes filled up with zeros, as
//             plane_coder.h writes them
//     floats  the elements that are not zero, as float_codec.h writes them
//     bytes   the rest of the block as it is
#pragma once

#include "float_codec.h"

namespace weightfs::codec {

struct ZeroMaskScratch {
  ScratchBuffer mask;
  ScratchBuffer padded_mask;
  ScratchBuffer kept;
  ScratchBuffer tail;
};

// Whether a mask saves more than one bit in fifty, by a sample.
bool has_many_zeros(ByteSpan raw, FloatKind kind);

void encode_zero_mask(ByteSpan raw, FloatKind kind, const FloatOptions& options,
                      ZeroMaskScratch& scratch, FloatScratch& floats, StreamWriter& out,
                      Isa isa = active_isa());
Status decode_zero_mask(ByteReader& in, MutableByteSpan out, ZeroMaskScratch& scratch,
                        FloatScratch& floats, Isa isa = active_isa());

}  // namespace weightfs::codec
