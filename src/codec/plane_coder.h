// One byte plane <-> a stream, by the method that suits it.
//
//     u8      method
//     payload
//       0 bits      u8 mask, u8 fixed: every byte is fixed | (some bits of mask). The bits of mask,
//       8 bytes
//                   in popcount(mask) bytes, the first byte's bits lowest; the plane is filled up
//                   with zeros to a multiple of 8. A mask of 255 stores the plane's bytes as they
//                   are (and only them), a mask of 0 nothing.
//       1 rans      rans.h
//       2 cascade   cascade.h
//
// Buffers of planes reach to the next multiple of 64. Thread-safe, with a scratch for each thread.
#pragma once

#include "cascade.h"
#include "rans.h"

namespace weightfs::codec {

// Persisted: numbers are never changed or reused.
enum class PlaneMethod : std::uint8_t { bits = 0, rans = 1, cascade = 2 };

struct PlaneScratch {
  RansScratch rans;
  CascadeScratch cascade;
};

struct PlaneOptions {
  bool fixed_width = false;  // cascade instead of rans, where its few symbols suffice
  bool thorough = false;     // larger samples
  // Most planes of mantissas are random: a small sample says so, and they are stored.
  bool expect_random = false;
};

// Appends `plane`; bytes behind it, up to the next multiple of 64, are overwritten.
void encode_plane(MutableByteSpan plane, const PlaneOptions& options, PlaneScratch& scratch,
                  StreamWriter& out, Isa isa = active_isa());

// Reads a plane of `count` bytes: into `target`, or where it lies in the stream if it is stored as
// it is. In both cases the 64 bytes that hold any byte of a whole group are readable.
Result<ByteSpan> decode_plane(ByteReader& in, std::size_t count, ScratchBuffer& target,
                              PlaneScratch& scratch, Isa isa = active_isa());
}  // namespace weightfs::codec
