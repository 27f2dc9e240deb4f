// Where to cut opaque bytes: by content, so that an insertion moves the cuts and not the pieces.
//
// FastCDC (Xia et al., USENIX ATC 2016): a gear hash over the last 64 bytes, normalised chunking
// with two masks, no cut below the minimum. The parameters and the gear table are part of no
// format: a store whose files were cut otherwise reads as well, it only shares less.
#pragma once

#include <cstddef>

#include "weightfs/base/bytes.h"

namespace weightfs::chunk {

constexpr std::size_t kMinimumPieceBytes = std::size_t{16} << 10;
constexpr std::size_t kAveragePieceBytes = std::size_t{64} << 10;
constexpr std::size_t kMaximumPieceBytes = std::size_t{256} << 10;

// The length of the first piece of `bytes`: at most kMaximumPieceBytes, and all of `bytes` where it
// is not longer than the minimum. The cut depends on the piece's own bytes only. Thread-safe.
std::size_t first_piece_bytes(ByteSpan bytes);

}  // namespace weightfs::chunk
