// The values of a delta that have no symbol (delta_floats.h has their stream).
#pragma once

#include <span>

#include "buffers.h"
#include "delta_kernels.h"
#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

// Which values of a block escape: of the listed groups a bit for each place.
struct DeltaEscapes {
  std::span<const std::uint32_t> groups;
  std::span<const std::uint64_t> places;
};

// The stream of the escapes of `raw`, in `target`.
ByteSpan collect_delta_escapes(ByteSpan raw, ByteSpan base, DeltaFloat format,
                               const DeltaEscapes& escapes, ScratchBuffer& target, Isa isa);

// Puts the values of a stream in their places in `out`; it must end with the last.
Status apply_delta_escapes(ByteSpan stream, ByteSpan base, DeltaFloat format,
                           const DeltaEscapes& escapes, MutableByteSpan out, Isa isa);

}  // namespace weightfs::codec
