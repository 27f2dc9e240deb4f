// Blocks that a codec of floats might get wrong.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::codec::testing {

constexpr Dtype kFloatDtypes[] = {Dtype::bf16,        Dtype::f16,        Dtype::f32,
                                  Dtype::f64,         Dtype::f8_e4m3,    Dtype::f8_e5m2,
                                  Dtype::c64,         Dtype::c128,       Dtype::f8_e4m3fnuz,
                                  Dtype::f8_e5m2fnuz, Dtype::guessed_16, Dtype::guessed_32};

// Random bits; one value; alternating signs; both zeros, infinities, denormals and NaNs with
// payloads; Gaussian weights; the same in rows of very different scale; the same without signs;
// with zeros here and there; with trailing zero bits; all zero but one; a short pattern again and
// again.
enum class Pattern {
  random,
  constant,
  alternating,
  special,
  gaussian,
  rows,
  positive,
  sparse,
  truncated,
  lonely,
  periodic,
};
constexpr Pattern kPatterns[] = {Pattern::random,   Pattern::constant, Pattern::alternating,
                                 Pattern::special,  Pattern::gaussian, Pattern::rows,
                                 Pattern::positive, Pattern::sparse,   Pattern::truncated,
                                 Pattern::lonely,   Pattern::periodic};

// `size` bytes, the same each time.
ByteVector make_block(Pattern pattern, Dtype dtype, std::size_t size);

}  // namespace weightfs::codec::testing
