// libFuzzer target for every encoder that takes a base: u8 dtype, then the block and, as long, its
// base. What is encoded is never larger, and comes back as it was.
#include <algorithm>
#include <cstdlib>

#include "weightfs/codec/codec.h"

namespace weightfs::codec {
namespace {

void round_trip(ByteSpan input) {
  ByteReader in(input);
  const std::uint8_t dtype = in.u8();
  if (in.failed() || !is_known_dtype(dtype)) return;
  const ByteSpan rest = in.rest();
  const ByteSpan raw = rest.first(rest.size() / 2);
  const ByteSpan base = rest.subspan(raw.size(), raw.size());
  if (raw.empty() || raw.size() > kMaxBlockBytes) return;
  static Scratch scratch;
  const EncodeOptions options = {
      .dtype = static_cast<Dtype>(dtype), .base = base, .base_dtype = static_cast<Dtype>(dtype)};
  const EncodedBlock block = encode_block(raw, options, scratch);
  if (block.bytes.size() > raw.size()) std::abort();
  const ByteVector encoded(block.bytes.begin(), block.bytes.end());
  ByteVector decoded(raw.size());
  const ByteSpan needed = block.uses_base ? base : ByteSpan();
  if (!decode_block(block.tag, encoded, needed, decoded, scratch)) std::abort();
  if (!std::equal(raw.begin(), raw.end(), decoded.begin())) std::abort();
}

}  // namespace
}  // namespace weightfs::codec

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weightfs::codec::round_trip(std::as_bytes(std::span(data, size)));
  return 0;
}
