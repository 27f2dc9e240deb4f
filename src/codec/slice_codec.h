// A block that is a piece of a longer one, as it is: what remains of a block when a tensor lost
// rows.
#pragma once

#include <optional>

#include "buffers.h"
#include "weightfs/codec/codec.h"

namespace weightfs::codec {

// `raw` as the piece of options.base at options.base_offset_bytes, in `stream`; nothing where the
// base is no longer than the block, or holds other bytes there.
std::optional<EncodedBlock> encode_as_slice(ByteSpan raw, const EncodeOptions& options,
                                            ScratchBuffer& stream);

// Copies out of the base; Code::corrupt where it does not reach that far.
Status decode_slice(ByteReader& in, ByteSpan base, MutableByteSpan out);

}  // namespace weightfs::codec
