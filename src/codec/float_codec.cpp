#include "float_codec.h"

namespace weightfs::codec {
namespace {

std::size_t plane_count(FloatKind kind) {
  switch (kind) {
    case FloatKind::f16:
      return 3;
    case FloatKind::f32:
    case FloatKind::f32_fine:
      return 4;
    case FloatKind::f64:
      return 8;
    case FloatKind::bf16:
    case FloatKind::bf16_fine:
    case FloatKind::f8_e4m3:
    case FloatKind::f8_e5m2:
      break;
  }
  return 2;
}

// Bit e7 in the second plane of the fine kinds.
constexpr unsigned kHighExponentBit = 0x40;

using PlanePointers = std::array<std::byte*, kMaxPlanes>;

// The planes of whole groups, in the scratch.
PlanePointers split(ByteSpan raw, std::size_t groups, FloatKind kind, FloatScratch& scratch,
                    Isa isa) {
  PlanePointers planes{};
  for (std::size_t i = 0; i < plane_count(kind); ++i) {
    planes[i] = scratch.planes[i].get(groups * kPlaneGroup).data();
  }
  plane_kernels(isa).split[static_cast<std::size_t>(kind)](raw.data(), groups, planes.data());
  return planes;
}

bool wants_fixed_width(const FloatOptions& options) {
  return options.portable || options.tier == Tier::fast;
}

std::size_t group_bytes(FloatKind kind) {
  return kPlaneGroup * element_bytes(kind);
}

// The finer form that the options allow for: half a percent smaller, and three quarters of the
// speed.
std::optional<FloatKind> finer_kind(FloatKind kind, const FloatOptions& options) {
  if (options.tier != Tier::cold || wants_fixed_width(options)) return std::nullopt;
  if (kind == FloatKind::bf16) return FloatKind::bf16_fine;
  if (kind == FloatKind::f32) return FloatKind::f32_fine;
  return std::nullopt;
}

struct SplitFloats {
  FloatKind kind;
  PlanePointers planes;
};

// Splits by the finer form if there is one and bit e7 is the same in all elements.
SplitFloats split_finely(ByteSpan raw, std::size_t groups, FloatKind kind,
                         const FloatOptions& options, FloatScratch& scratch, Isa isa) {
  if (const std::optional<FloatKind> finer = finer_kind(kind, options)) {
    const PlanePointers planes = split(raw, groups, *finer, scratch, isa);
    const PlaneBits bits = plane_kernels(isa).scan(planes[1], groups * kPlaneGroup);
    if (((bits.any ^ bits.all) & kHighExponentBit) == 0) return {*finer, planes};
  }
  return {kind, split(raw, groups, kind, scratch, isa)};
}

}  // namespace

FloatKind encode_floats(ByteSpan raw, FloatKind kind, const FloatOptions& options,
                        FloatScratch& scratch, StreamWriter& out, Isa isa) {
  const std::size_t groups = raw.size() / group_bytes(kind);
  if (groups > 0) {
    const SplitFloats floats = split_finely(raw, groups, kind, options, scratch, isa);
    kind = floats.kind;
    PlaneOptions plane_options = {.fixed_width = wants_fixed_width(options),
                                  .thorough = options.tier == Tier::cold};
    for (std::size_t i = 0; i < plane_count(kind) && !out.failed(); ++i) {
      plane_options.expect_random = i > 0;
      encode_plane({floats.planes[i], groups * kPlaneGroup}, plane_options, scratch.coder, out,
                   isa);
    }
  }
  out.append(raw.subspan(groups * group_bytes(kind)));
  return kind;
}

Status decode_floats(FloatKind kind, ByteReader& in, MutableByteSpan out, FloatScratch& scratch,
                     Isa isa) {
  const std::size_t groups = out.size() / group_bytes(kind);
  const std::size_t count = groups * kPlaneGroup;
  if (groups > 0) {
    std::array<const std::byte*, kMaxPlanes> planes{};
    for (std::size_t i = 0; i < plane_count(kind); ++i) {
      WEIGHTFS_ASSIGN(const ByteSpan plane,
                      decode_plane(in, count, scratch.planes[i], scratch.coder, isa));
      planes[i] = plane.data();
    }
    plane_kernels(isa).merge[static_cast<std::size_t>(kind)](planes.data(), groups, out.data());
  }
  const MutableByteSpan tail = out.subspan(groups * group_bytes(kind));
  const ByteSpan stored = in.bytes(tail.size());
  if (in.failed()) return fail(Code::corrupt, "a block of floats is cut short");
  std::copy(stored.begin(), stored.end(), tail.begin());
  return {};
}

}  // namespace weightfs::codec
