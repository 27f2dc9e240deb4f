#include "delta_ints.h"

#include <algorithm>

namespace weightfs::codec {
namespace {

constexpr std::uint8_t kExclusiveOr = 0;

template <class Word>
void subtract(ByteSpan raw, ByteSpan base, MutableByteSpan difference) {
  constexpr unsigned kShift = 8 * sizeof(Word) - 1;
  std::size_t at = 0;
  for (; at + sizeof(Word) <= raw.size(); at += sizeof(Word)) {
    const auto d =
        static_cast<Word>(load_unaligned<Word>(&raw[at]) - load_unaligned<Word>(&base[at]));
    const auto sign = static_cast<Word>(-(d >> kShift));
    store_unaligned(&difference[at], static_cast<Word>((d << 1) ^ sign));
  }
  std::copy(raw.begin() + static_cast<std::ptrdiff_t>(at), raw.end(),
            difference.begin() + static_cast<std::ptrdiff_t>(at));
}

// `block` is the difference on entry.
template <class Word>
void add(ByteSpan base, MutableByteSpan block) {
  for (std::size_t at = 0; at + sizeof(Word) <= block.size(); at += sizeof(Word)) {
    const auto zigzag = load_unaligned<Word>(&block[at]);
    const auto d = static_cast<Word>((zigzag >> 1) ^ static_cast<Word>(-(zigzag & 1)));
    store_unaligned(&block[at], static_cast<Word>(load_unaligned<Word>(&base[at]) + d));
  }
}

void exclusive_or(ByteSpan a, ByteSpan b, MutableByteSpan out) {
  std::transform(a.begin(), a.end(), b.begin(), out.begin(), std::bit_xor<>());
}

std::uint8_t choose_difference(Dtype dtype) {
  const DtypeLayout layout = dtype_layout(dtype);
  if (dtype == Dtype::opaque || layout.unit_elements != 1) return kExclusiveOr;
  switch (layout.unit_bytes) {
    case 1:
    case 2:
    case 4:
    case 8:
      return static_cast<std::uint8_t>(layout.unit_bytes);
    default:
      return kExclusiveOr;
  }
}

void take_difference(std::uint8_t kind, ByteSpan raw, ByteSpan base, MutableByteSpan difference) {
  switch (kind) {
    case 1:
      return subtract<std::uint8_t>(raw, base, difference);
    case 2:
      return subtract<std::uint16_t>(raw, base, difference);
    case 4:
      return subtract<std::uint32_t>(raw, base, difference);
    case 8:
      return subtract<std::uint64_t>(raw, base, difference);
    default:
      return exclusive_or(raw, base, difference);
  }
}

Status undo_difference(std::uint8_t kind, ByteSpan base, MutableByteSpan block) {
  switch (kind) {
    case 1:
      add<std::uint8_t>(base, block);
      return {};
    case 2:
      add<std::uint16_t>(base, block);
      return {};
    case 4:
      add<std::uint32_t>(base, block);
      return {};
    case 8:
      add<std::uint64_t>(base, block);
      return {};
    case kExclusiveOr:
      exclusive_or(block, base, block);
      return {};
    default:
      return fail(Code::corrupt, "a delta's kind is unknown");
  }
}

}  // namespace

bool encode_delta_ints(ByteSpan raw, ByteSpan base, Dtype dtype, double worthwhile_bytes,
                       DeltaIntsScratch& scratch, StreamWriter& out, Isa isa) {
  const std::uint8_t kind = choose_difference(dtype);
  const MutableByteSpan difference = scratch.difference.get(raw.size());
  take_difference(kind, raw, base, difference);
  IntsPlan plan = plan_of_dtype(dtype, difference);
  if (fit_plan(difference, plan) >= worthwhile_bytes) return false;
  out.u8(kind);
  encode_ints(difference, plan, {}, scratch.ints, out, isa);
  return true;
}

Status decode_delta_ints(ByteReader& in, ByteSpan base, MutableByteSpan out,
                         DeltaIntsScratch& scratch, Isa isa) {
  if (base.size() != out.size()) return fail(Code::corrupt, "a delta's base has another length");
  const std::uint8_t kind = in.u8();
  WEIGHTFS_TRY(decode_ints(in, out, scratch.ints, isa));
  return undo_difference(kind, base, out);
}

}  // namespace weightfs::codec
