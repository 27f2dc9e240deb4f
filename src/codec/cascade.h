// Fixed-width codes for a byte plane: little larger than rANS for exponents, and quick to read
// without wide vectors.
//
// Level 1 gives each symbol a code of two bits: 0, 1 and 2 are its three symbols, 3 stands for the
// next symbol of level 2, which has three symbols of its own, and so on. What the third level has
// no code for is stored as it is. Stream:
//     u8[9]   the symbols of levels 1, 2, 3
//     for each level:
//       codes   for each 64 of its symbols u64 of the codes' low bits, u64 of their high bits,
//       first
//               symbol lowest, little-endian; the last 64 are filled up with code 0
//       varint  symbols of the next level (of those stored, after level 3)
//     bytes   the stored symbols
#pragma once

#include "buffers.h"
#include "plane_kernels.h"
#include "rans_table.h"
#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

struct CascadeScratch {
  ScratchBuffer level2;
  ScratchBuffer level3;
  ScratchBuffer stored;
};

// What a symbol takes in bits, about, if the plane is like the sample.
double cascade_bits(const SampledHistogram& sample);

// Appends the stream of `symbols`, whose buffer must reach to the next multiple of 64.
void encode_cascade(MutableByteSpan symbols, const SampledHistogram& sample,
                    CascadeScratch& scratch, StreamWriter& out, Isa isa = active_isa());

// Reads a stream of `symbols.size()` symbols; the buffer must reach as above.
Status decode_cascade(ByteReader& in, MutableByteSpan symbols, CascadeScratch& scratch,
                      Isa isa = active_isa());

}  // namespace weightfs::codec
