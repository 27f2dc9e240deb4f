// zstd for opaque bytes: one frame without checksum or content size (the block's length is known).
#pragma once

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

// Compresses into `out` (resized); false where the result would not be smaller than `raw`.
bool encode_zstd(ByteSpan raw, int level, ByteVector& out);
Status decode_zstd(ByteSpan encoded, MutableByteSpan out);

}  // namespace weightfs::codec
