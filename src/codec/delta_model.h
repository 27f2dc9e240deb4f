// What the deltas of floats have in common: how much the base's exponent says of a value's
// distance.
//
// Values are told apart by level, the number of binades that their base lies below the top one. Of
// a level either distances are coded (k low bits stored, the rest a symbol), or, where the base
// says less than the value's own exponent does, the values themselves (the exponent a symbol).
// Levels share three contexts for distances, in order; direct values have the fourth.
#pragma once

#include <array>
#include <cstdint>

#include "delta_level.h"
#include "rans.h"

namespace weightfs::codec {

constexpr std::size_t kMaxDeltaSamples = 8192;

// Sampled values, one at least, by their parts.
struct DeltaSamples {
  std::size_t size = 0;
  std::array<std::int64_t, kMaxDeltaSamples> distances;  // in representable values
  std::array<std::uint16_t, kMaxDeltaSamples> base_exponents;
  std::array<std::uint16_t, kMaxDeltaSamples> exponents;
};

struct DeltaFormat {
  unsigned exponents;      // how many there are, at most 2048
  unsigned plan_stride;    // every so many samples make the plan; all are counted for its symbols
  unsigned direct_bits;    // stored of a direct value beside its symbol
  unsigned most_low_bits;  // beyond, values are coded directly
  double escape_bits;      // that an escape takes beside its symbol, about
};

struct DeltaLevelPlan {
  std::uint8_t low_bits = 0;  // of distances
  std::uint8_t context = 0;
  bool direct = false;

  bool operator==(const DeltaLevelPlan&) const = default;
};

struct DeltaFit {
  std::array<DeltaLevelPlan, kDeltaLevels> plan;
  unsigned top_level = 0;
  unsigned top_exponent = 0;  // of direct values: their symbol is top_exponent - exponent
  RansContextModel contexts;
  double bits_per_value = 0;
};

DeltaFit fit_delta(const DeltaSamples& samples, const DeltaFormat& format);

}  // namespace weightfs::codec
