// How a block of 16-bit floats is coded against its base: fitted to a sample.
#pragma once

#include <cstdint>
#include <span>

#include "delta_16_kernels.h"
#include "rans.h"
#include "weightfs/base/bytes.h"

namespace weightfs::codec {

struct Delta16Model {
  Delta16Tables tables;
  RansContextModel contexts;
  double bits_per_value = 0;  // of the groups that differ, estimated
};

// Fits to the groups of `values` and `base` that `groups` lists (whole ones, one at least).
// `mantissa_bits` is 7 for bf16 and 10 for fp16.
Delta16Model fit_delta_16(ByteSpan values, ByteSpan base, std::span<const std::uint32_t> groups,
                          unsigned mantissa_bits);

// The plan as it stands in a stream:
//     u8  mantissa_bits, 7 or 10
//     u8  top_level
//     u8  top_exponent
//     for levels 0 to 63 runs of { u8 plan, u8 length, 1 or more }
void write_delta_16_plan(const Delta16Tables& tables, StreamWriter& out);
// Without the symbol map, which decoders don't need.
Result<Delta16Tables> read_delta_16_plan(ByteReader& in);

}  // namespace weightfs::codec
