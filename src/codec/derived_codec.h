// A block as a function of a base of another dtype, and what differs from that
// (docs/codecs-derived.md).
#pragma once

#include <optional>

#include "delta_codec.h"
#include "weightfs/codec/codec.h"

namespace weightfs::codec {

struct DerivedScratch {
  ScratchBuffer stream;  // the encoded block, where it is derived
  ScratchBuffer result;  // of the function
};

// `raw` as a function of options.base from options.base_offset_bytes on, in `scratch`. Nothing
// where there is no such function, the base is too short, or a sample says that what differs from
// the result saves too little over the block alone.
std::optional<EncodedBlock> encode_as_derived(ByteSpan raw, const EncodeOptions& options,
                                              DerivedScratch& scratch, DeltaScratch& deltas);

// Reads a stream that makes exactly `out` from `base`, of which it says what it needs;
// Code::corrupt where that is not there.
Status decode_derived(ByteReader& in, ByteSpan base, MutableByteSpan out, DerivedScratch& scratch,
                      DeltaScratch& deltas);

}  // namespace weightfs::codec
