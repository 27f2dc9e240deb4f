#include "zero_mask_codec.h"

#include <bit>
#include <cmath>

namespace weightfs::codec {
namespace {

// Elements are sampled by pieces: each piece costs the memory it is the first to touch.
constexpr std::size_t kSamplePieces = 128;
constexpr std::size_t kPieceElements = 8;
// Part of an element's bits that a mask must save.
constexpr double kWorthwhileShare = 0.02;

// Elements of the block, and of the buffer that holds them in whole groups.
std::size_t element_count(std::size_t size, FloatKind kind) {
  return size / element_bytes(kind);
}
std::size_t in_groups(std::size_t count) {
  return (count + kPlaneGroup - 1) / kPlaneGroup * kPlaneGroup;
}
std::size_t kernel_of(FloatKind kind) {
  return static_cast<std::size_t>(std::countr_zero(element_bytes(kind)));
}

template <class Word>
std::size_t zeros_of_piece(const std::byte* piece) {
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < kPieceElements; ++i) {
    zeros += load_unaligned<Word>(piece + i * sizeof(Word)) == 0 ? 1 : 0;
  }
  return zeros;
}

std::size_t zeros_of_piece(const std::byte* piece, std::size_t element_bytes) {
  switch (element_bytes) {
    case 1:
      return zeros_of_piece<std::uint8_t>(piece);
    case 2:
      return zeros_of_piece<std::uint16_t>(piece);
    case 4:
      return zeros_of_piece<std::uint32_t>(piece);
    default:
      return zeros_of_piece<std::uint64_t>(piece);
  }
}

// The part of sampled elements that is zero; the block has a piece at least.
double share_of_zeros(ByteSpan raw, std::size_t element_bytes) {
  const std::size_t pieces = raw.size() / (kPieceElements * element_bytes);
  const std::size_t step = std::max<std::size_t>(1, pieces / kSamplePieces);
  std::size_t zeros = 0;
  std::size_t seen = 0;
  for (std::size_t piece = 0; piece < pieces; piece += step, seen += kPieceElements) {
    zeros += zeros_of_piece(&raw[piece * kPieceElements * element_bytes], element_bytes);
  }
  return static_cast<double>(zeros) / static_cast<double>(seen);
}

// The mask of `count` elements in whole groups, without bits behind it; nothing if it had some.
std::optional<MutableByteSpan> pad_mask(ByteSpan mask, std::size_t count, ScratchBuffer& target) {
  const MutableByteSpan padded = target.get(in_groups(count) / 8);
  std::copy(mask.begin(), mask.end(), padded.begin());
  std::fill(padded.begin() + static_cast<std::ptrdiff_t>(mask.size()), padded.end(), std::byte{0});
  const bool has_more =
      count % 8 != 0 && std::to_integer<unsigned>(mask.back()) >> (count % 8) != 0;
  return has_more ? std::nullopt : std::optional(padded);
}

// `mask` is whole groups.
std::size_t count_bits(ByteSpan mask) {
  std::size_t bits = 0;
  for (std::size_t i = 0; i < mask.size(); i += sizeof(std::uint64_t)) {
    bits += static_cast<std::size_t>(std::popcount(load_unaligned<std::uint64_t>(mask.data() + i)));
  }
  return bits;
}

}  // namespace

bool has_many_zeros(ByteSpan raw, FloatKind kind) {
  const std::size_t size = element_bytes(kind);
  if (raw.size() / size < kPlaneGroup) return false;
  const double share = share_of_zeros(raw, size);
  if (share == 0 || share == 1) return share == 1;
  const double mask_bits = -share * std::log2(share) - (1 - share) * std::log2(1 - share);
  // A zero's exponent would be coded, but its sign and mantissa stored.
  const double stored_bits = static_cast<double>(size) * 8 * (size == 2 ? 0.5 : 0.7);
  return share * stored_bits - mask_bits > kWorthwhileShare * static_cast<double>(size) * 8;
}

void encode_zero_mask(ByteSpan raw, FloatKind kind, const FloatOptions& options,
                      ZeroMaskScratch& scratch, FloatScratch& floats, StreamWriter& out, Isa isa) {
  const PlaneKernels& kernels = plane_kernels(isa);
  const std::size_t size = element_bytes(kind);
  const std::size_t count = element_count(raw.size(), kind);
  const std::size_t whole = count / kPlaneGroup * kPlaneGroup;
  const MutableByteSpan mask = scratch.mask.get(in_groups(count) / 8 + kPlaneGroup);
  const MutableByteSpan kept = scratch.kept.get(in_groups(count) * size);
  std::byte* kept_end =
      kernels.keep_nonzero[kernel_of(kind)](raw.data(), whole, mask.data(), kept.data());
  // The last elements, filled up to a group with zeros.
  const MutableByteSpan tail = scratch.tail.get(kPlaneGroup * size);
  std::fill(tail.begin(), tail.end(), std::byte{0});
  const ByteSpan last = raw.subspan(whole * size, (count - whole) * size);
  std::copy(last.begin(), last.end(), tail.begin());
  kept_end = kernels.keep_nonzero[kernel_of(kind)](tail.data(), kPlaneGroup,
                                                   mask.data() + whole / 8, kept_end);
  const MutableByteSpan used_mask = mask.first((count + 7) / 8);

  const ByteSpan others = kept.first(static_cast<std::size_t>(kept_end - kept.data()));
  const MutableByteSpan kind_place = out.extend(1);
  const PlaneOptions plane_options = {
      .fixed_width = options.portable,
      .thorough = options.tier == Tier::cold,
  };
  encode_plane(used_mask, plane_options, floats.coder, out, isa);
  kind = encode_floats(others, kind, options, floats, out, isa);
  if (!out.failed()) kind_place[0] = static_cast<std::byte>(kind);
  out.append(raw.subspan(count * size));
}

Status decode_zero_mask(ByteReader& in, MutableByteSpan out, ZeroMaskScratch& scratch,
                        FloatScratch& floats, Isa isa) {
  const std::uint8_t number = in.u8();
  if (in.failed() || number >= kFloatKinds) {
    return fail(Code::corrupt, "a zero mask names no kind of float");
  }
  const auto kind = static_cast<FloatKind>(number);
  const std::size_t size = element_bytes(kind);
  const std::size_t count = element_count(out.size(), kind);
  const std::size_t whole = count / kPlaneGroup * kPlaneGroup;
  WEIGHTFS_ASSIGN(const ByteSpan stored_mask,
                  decode_plane(in, (count + 7) / 8, scratch.mask, floats.coder, isa));
  const auto mask = pad_mask(stored_mask, count, scratch.padded_mask);
  if (!mask) return fail(Code::corrupt, "a zero mask is not filled up with zeros");
  const MutableByteSpan kept = scratch.kept.get(count_bits(*mask) * size);
  WEIGHTFS_TRY(decode_floats(kind, in, kept, floats, isa));

  const auto spread = plane_kernels(isa).spread_nonzero[kernel_of(kind)];
  spread(mask->data(), whole, kept.data(), out.data());
  const MutableByteSpan last = out.subspan(whole * size, (count - whole) * size);
  if (!last.empty()) {
    const std::size_t spread_count = count_bits(mask->first(whole / 8));
    const MutableByteSpan tail = scratch.tail.get(kPlaneGroup * size);
    spread(mask->data() + whole / 8, kPlaneGroup, kept.data() + spread_count * size, tail.data());
    std::copy_n(tail.begin(), last.size(), last.begin());
  }

  const MutableByteSpan rest = out.subspan(count * size);
  const ByteSpan stored = in.bytes(rest.size());
  if (in.failed()) return fail(Code::corrupt, "a zero mask's block is cut short");
  std::copy(stored.begin(), stored.end(), rest.begin());
  return {};
}

}  // namespace weightfs::codec
