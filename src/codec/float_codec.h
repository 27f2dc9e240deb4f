// Floats by planes: exponents coded, signs and mantissas stored but for bits that never change.
//
// Stream, for each FloatKind (its layout of planes is in plane_kernels.h):
//     planes  of the first 64 * floor(size / (64 * element size)) elements, in order, as
//     plane_coder.h
//             writes them.
//     bytes   the rest of the block as it is
#pragma once

#include <array>
#include <optional>

#include "plane_coder.h"
#include "weightfs/codec/codec.h"

namespace weightfs::codec {

struct FloatScratch {
  std::array<ScratchBuffer, kMaxPlanes> planes;
  PlaneScratch coder;
};

constexpr std::size_t element_bytes(FloatKind kind) {
  switch (kind) {
    case FloatKind::bf16:
    case FloatKind::bf16_fine:
    case FloatKind::f16:
      return 2;
    case FloatKind::f32:
    case FloatKind::f32_fine:
      return 4;
    case FloatKind::f64:
      return 8;
    case FloatKind::f8_e4m3:
    case FloatKind::f8_e5m2:
      return 1;
  }
  return 1;
}

struct FloatOptions {
  Tier tier = Tier::default_tier;
  bool portable = false;  // only codes that are read quickly without wide vectors
};

// Appends the stream of `raw`, as `kind` or as its finer form, where there is one that is worth its
// time and smaller: returns which. `out` fails if it has too little room.
FloatKind encode_floats(ByteSpan raw, FloatKind kind, const FloatOptions& options,
                        FloatScratch& scratch, StreamWriter& out, Isa isa = active_isa());

// Reads a stream that makes exactly `out`.
Status decode_floats(FloatKind kind, ByteReader& in, MutableByteSpan out, FloatScratch& scratch,
                     Isa isa = active_isa());

}  // namespace weightfs::codec
