// libFuzzer target for every encoder that works alone: u8 dtype, u8 tier and portability, then the
// block. What is encoded is never larger, and comes back as it was.
#include <cstdlib>

#include "weightfs/codec/codec.h"

namespace weightfs::codec {
namespace {

void round_trip(ByteSpan input) {
  ByteReader in(input);
  const std::uint8_t dtype = in.u8();
  const std::uint8_t choice = in.u8();
  const ByteSpan raw = in.rest();
  if (in.failed() || raw.empty() || raw.size() > kMaxBlockBytes || !is_known_dtype(dtype)) return;
  static Scratch scratch;
  const EncodedBlock block = encode_block(raw,
                                          {.dtype = static_cast<Dtype>(dtype),
                                           .tier = static_cast<Tier>(choice % 3),
                                           .portable = choice >= 128},
                                          scratch);
  if (block.bytes.size() > raw.size()) std::abort();
  const ByteVector stream(block.bytes.begin(), block.bytes.end());
  ByteVector back(raw.size());
  if (!decode_block(block.tag, stream, {}, back, scratch)) std::abort();
  if (!std::equal(back.begin(), back.end(), raw.begin())) std::abort();
}

}  // namespace
}  // namespace weightfs::codec

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weightfs::codec::round_trip(std::as_bytes(std::span(data, size)));
  return 0;
}
