// libFuzzer target for every decoder. The input is a blob as tests/codec/golden_blob.h has it; a
// delta's base is made up. Whatever the stream says, it is decoded or refused; and what is decoded
// twice, on the chosen instruction set, is the same.
#include <cstdlib>

#include "golden_blob.h"

namespace weightfs::codec {
namespace {

// Large enough for all kinds of streams, small enough for many of them.
constexpr std::size_t kMaxFuzzedBytes = 128 << 10;

ByteVector make_base(std::size_t size) {
  ByteVector base(size);
  std::uint32_t state = 1;
  for (std::byte& value : base) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::byte>(state >> 24);
  }
  return base;
}

bool has_base(CodecTag tag) {
  const auto number = static_cast<unsigned>(tag);
  return number >= 48 && number < 80;
}

// A slice's base is longer than the block, and so may be one of another dtype.
std::size_t base_bytes(const testing::GoldenBlob& blob) {
  if (blob.tag == CodecTag::slice) return 2 * blob.block_bytes + 1;
  return blob.tag == CodecTag::derived ? 8 * blob.block_bytes : blob.block_bytes;
}

void decode(ByteSpan file) {
  const auto blob = testing::parse_golden_blob(file);
  if (!blob || blob->block_bytes > kMaxFuzzedBytes) return;
  const ByteVector base = has_base(blob->tag) ? make_base(base_bytes(*blob)) : ByteVector();
  static Scratch scratch;
  ByteVector first(blob->block_bytes, std::byte{0x00});
  ByteVector second(blob->block_bytes, std::byte{0xFF});
  const bool accepted = decode_block(blob->tag, blob->stream, base, first, scratch).has_value();
  const bool again = decode_block(blob->tag, blob->stream, base, second, scratch).has_value();
  if (accepted != again || (accepted && first != second)) std::abort();
}

}  // namespace
}  // namespace weightfs::codec

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weightfs::codec::decode(std::as_bytes(std::span(data, size)));
  return 0;
}
