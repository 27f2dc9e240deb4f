#include "derived_codec.h"

#include <algorithm>

#include "derive.h"
#include "weightfs/base/checked.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kLongestHeaderBytes = 1 + 10 + 1;
// In place of a delta's tag: the result of the function is the block.
constexpr std::uint8_t kNothingDiffers = 0;

// What a function makes `size` bytes of: empty where the base does not reach that far.
ByteSpan source_of(const Derivation& derivation, ByteSpan base, std::uint64_t begin_bytes,
                   std::size_t size) {
  if (size % dtype_layout(derivation.to).unit_bytes != 0) return {};
  const std::uint64_t length = source_bytes(derivation.from, derivation.to, size);
  if (!range_fits<std::uint64_t>(begin_bytes, length, base.size())) return {};
  return base.subspan(static_cast<std::size_t>(begin_bytes), static_cast<std::size_t>(length));
}

std::size_t count_equal(ByteSpan a, ByteSpan b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return equal;
}

// The function whose result in `result` has the most bytes of `raw`; null if there is none.
const Derivation* apply_best(ByteSpan raw, const EncodeOptions& options, MutableByteSpan result) {
  const Derivation* best = nullptr;
  const Derivation* last = nullptr;
  std::size_t most_equal = 0;
  const auto apply = [&](const Derivation& derivation) {
    derivation.apply(source_of(derivation, options.base, options.base_offset_bytes, raw.size()),
                     result);
    last = &derivation;
  };
  for (const Derivation& derivation : derivations()) {
    if (derivation.from != options.base_dtype || derivation.to != options.dtype) continue;
    if (source_of(derivation, options.base, options.base_offset_bytes, raw.size()).empty())
      continue;
    apply(derivation);
    const std::size_t equal = count_equal(raw, result);
    if (best != nullptr && equal <= most_equal) continue;
    best = &derivation;
    most_equal = equal;
    if (equal == raw.size()) break;
  }
  if (best != last) apply(*best);
  return best;
}

}  // namespace

std::optional<EncodedBlock> encode_as_derived(ByteSpan raw, const EncodeOptions& options,
                                              DerivedScratch& scratch, DeltaScratch& deltas) {
  if (options.base.empty() || options.base_dtype == options.dtype) return std::nullopt;
  const MutableByteSpan result = scratch.result.get(raw.size());
  const Derivation* derivation = apply_best(raw, options, result);
  if (derivation == nullptr) return std::nullopt;
  StreamWriter out(scratch.stream.get(raw.size() + kLongestHeaderBytes));
  out.u8(derivation->number);
  out.varint(options.base_offset_bytes);
  if (std::ranges::equal(raw, result)) {
    out.u8(kNothingDiffers);
  } else {
    EncodeOptions of_result = options;
    of_result.base = result;
    of_result.base_dtype = options.dtype;
    const auto delta = encode_as_delta(raw, of_result, deltas);
    if (!delta) return std::nullopt;
    out.u8(static_cast<std::uint8_t>(delta->tag));
    out.append(delta->bytes);
  }
  if (out.failed() || out.size() >= raw.size()) return std::nullopt;
  return EncodedBlock{.tag = CodecTag::derived, .uses_base = true, .bytes = out.view()};
}

Status decode_derived(ByteReader& in, ByteSpan base, MutableByteSpan out, DerivedScratch& scratch,
                      DeltaScratch& deltas) {
  const std::uint8_t number = in.u8();
  const std::uint64_t begin_bytes = in.varint();
  const std::uint8_t delta = in.u8();
  if (in.failed()) return fail(Code::corrupt, "a derived block is cut short");
  const Derivation* derivation = derivation_of(number);
  if (derivation == nullptr) {
    return fail(Code::newer_version, "a derivation that this version does not know");
  }
  const ByteSpan source = source_of(*derivation, base, begin_bytes, out.size());
  if (source.empty()) return fail(Code::corrupt, "a derived block reaches past its base");
  if (delta == kNothingDiffers) {
    derivation->apply(source, out);
    return {};
  }
  const MutableByteSpan result = scratch.result.get(out.size());
  derivation->apply(source, result);
  return decode_delta(static_cast<CodecTag>(delta), in, result, out, deltas);
}

}  // namespace weightfs::codec
