// Rare bytes beside a rANS stream, in nibbles.
//
//   varint  count of bytes; nothing follows if it is 0
//   u8      ranked (0..15), then as many byte values, the most frequent first
//   nibbles low half of a byte first: r < ranked is the ranked value r; 15 is followed by a
//   literal,
//           low nibble first. An odd last nibble leaves the high half of its byte 0.
#pragma once

#include "buffers.h"
#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

void write_escapes(ByteSpan escapes, StreamWriter& out);

// Reads at most `limit` bytes into `target` (grown to that and padded with kRansReadAhead bytes
// that are readable), and returns them.
Result<ByteSpan> read_escapes(ByteReader& in, std::size_t limit, ScratchBuffer& target);

}  // namespace weightfs::codec
