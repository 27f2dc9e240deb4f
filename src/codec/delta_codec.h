// Which delta codes a block against its base, if any: chosen from a sample.
#pragma once

#include <optional>

#include "delta_floats.h"
#include "delta_ints.h"
#include "weightfs/codec/codec.h"

namespace weightfs::codec {

struct DeltaScratch {
  ScratchBuffer stream;  // the encoded block, where it is a delta
  DeltaFloatsScratch floats;
  DeltaIntsScratch delta_ints;
};

// `raw` as a delta against options.base, in the scratch: nothing if there is no base of the same
// length and of the same kind of elements, or where a sample says that the delta saves too little
// over the block alone to be worth a second block's reading.
std::optional<EncodedBlock> encode_as_delta(ByteSpan raw, const EncodeOptions& options,
                                            DeltaScratch& scratch, Isa isa = active_isa());

// Whether a tag is one of those that decode_delta reads.
bool is_delta(CodecTag tag);
// Reads a stream that makes exactly `out` from `base`; a base of another length is Code::corrupt.
Status decode_delta(CodecTag tag, ByteReader& in, ByteSpan base, MutableByteSpan out,
                    DeltaScratch& scratch, Isa isa = active_isa());

// Bits that an element of `element_bytes` (1, 2, 4, 8) takes alone, about: the entropy of each byte
// of sampled elements, the sign taken from before the exponent.
double estimate_bits_alone(ByteSpan raw, std::size_t element_bytes);

}  // namespace weightfs::codec
