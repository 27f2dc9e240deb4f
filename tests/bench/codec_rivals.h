// What others would do with a block, for comparison in one run.
#pragma once

#include <string>
#include <vector>

#include "weightfs/base/bytes.h"

namespace weightfs::bench {

// Buffers have room for twice a block.
struct Rival {
  std::string name;
  // Encodes a block whose elements have `element_bytes` bytes; returns the size.
  std::size_t (*encode)(ByteSpan raw, ByteSpan base, std::size_t element_bytes,
                        MutableByteSpan out);
  // Returns whether the block came back whole.
  bool (*decode)(ByteSpan encoded, ByteSpan base, std::size_t element_bytes, MutableByteSpan out);
  bool needs_base = false;
  bool is_slow = false;  // a part of the data has to do
};

// memcpy, lz4, zstd -3 and -19, byte shuffle + zstd -1, byte planes + huffman (libzstd's literals),
// and XOR
// + planes + zstd -3 as the BitX paper describes it.
std::vector<Rival> rivals();

}  // namespace weightfs::bench
