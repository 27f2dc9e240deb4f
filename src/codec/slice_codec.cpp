#include "slice_codec.h"

#include <algorithm>

#include "weightfs/base/checked.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kLongestVarintBytes = 10;

}  // namespace

std::optional<EncodedBlock> encode_as_slice(ByteSpan raw, const EncodeOptions& options,
                                            ScratchBuffer& stream) {
  const std::size_t begin = options.base_offset_bytes;
  if (options.base.size() <= raw.size() || begin > options.base.size() - raw.size()) {
    return std::nullopt;
  }
  if (!std::ranges::equal(raw, options.base.subspan(begin, raw.size()))) return std::nullopt;
  StreamWriter out(stream.get(kLongestVarintBytes));
  out.varint(begin);
  if (out.failed() || out.size() >= raw.size()) return std::nullopt;
  return EncodedBlock{.tag = CodecTag::slice, .uses_base = true, .bytes = out.view()};
}

Status decode_slice(ByteReader& in, ByteSpan base, MutableByteSpan out) {
  const std::uint64_t begin = in.varint();
  if (in.failed() || !range_fits<std::uint64_t>(begin, out.size(), base.size())) {
    return fail(Code::corrupt, "a slice reaches past its base");
  }
  std::ranges::copy(base.subspan(static_cast<std::size_t>(begin), out.size()), out.begin());
  return {};
}

}  // namespace weightfs::codec
