// How a block of floats is coded against its base: fitted to a sample, and as it stands in streams.
#pragma once

#include <cstdint>
#include <span>

#include "delta_kernels.h"
#include "rans.h"
#include "weightfs/base/bytes.h"

namespace weightfs::codec {

struct DeltaPlan {
  DeltaTables tables;
  RansContextModel contexts;
  double bits_per_value = 0;  // of the groups that differ, estimated
};

// Fits to the groups of `values` and `base` that `groups` lists (whole ones, one at least).
DeltaPlan fit_delta_plan(ByteSpan values, ByteSpan base, std::span<const std::uint32_t> groups,
                         DeltaFloat format);

// The plan as it stands in a stream:
//     u16  top_level
//     u16  top_exponent
//     for levels 0 to 63 runs of { u8 plan, u8 length, 1 or more }
void write_delta_plan(const DeltaTables& tables, StreamWriter& out);
// Without the symbol map, which decoders don't need.
Result<DeltaTables> read_delta_plan(ByteReader& in, DeltaFloat format);

}  // namespace weightfs::codec
