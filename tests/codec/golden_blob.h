// Blobs in files: what tests/data/codec pins, and what the fuzzers start from.
//
//     u8   codec tag
//     u32  length of the block, little-endian
//     bytes  the stream
#pragma once

#include <optional>

#include "weightfs/codec/codec.h"

namespace weightfs::codec::testing {

struct GoldenBlob {
  CodecTag tag;
  std::size_t block_bytes;
  ByteSpan stream;
};

// Nothing if the file is too short, or its block longer than any.
inline std::optional<GoldenBlob> parse_golden_blob(ByteSpan file) {
  ByteReader in(file);
  const auto tag = static_cast<CodecTag>(in.u8());
  const std::size_t block_bytes = in.u32();
  if (in.failed() || block_bytes > kMaxBlockBytes) return std::nullopt;
  return GoldenBlob{.tag = tag, .block_bytes = block_bytes, .stream = in.rest()};
}

inline ByteVector write_golden_blob(const GoldenBlob& blob) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(blob.tag));
  out.u32(static_cast<std::uint32_t>(blob.block_bytes));
  out.append(blob.stream);
  return out.take();
}

}  // namespace weightfs::codec::testing
