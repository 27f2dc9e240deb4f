// The inner loops of ggml's quantizations (docs/codecs-derived.md), one implementation an
// instruction set, all giving the same bytes for any input. Like rans_kernels.h: nothing of the
// standard library is used in them but memcpy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "isa.h"

namespace weightfs::codec {

constexpr std::size_t kGgmlValues = 32;  // a block's
constexpr std::size_t kGgmlScaleBytes = 2;
constexpr std::size_t kQ8BlockBytes = kGgmlScaleBytes + kGgmlValues;
constexpr std::size_t kQ4BlockBytes = kGgmlScaleBytes + kGgmlValues / 2;

// Makes `blocks` blocks of 32 times as many values.
using GgmlQuantize = void (*)(const std::byte* values, std::byte* target, std::size_t blocks);

// By the values' format.
struct GgmlQuantizations {
  GgmlQuantize of_f32;
  GgmlQuantize of_bf16;
  GgmlQuantize of_f16;
};

struct GgmlKernels {
  GgmlQuantizations to_q8_0;
  GgmlQuantizations to_q4_0;
};

// The kernels for an instruction set that this machine has.
const GgmlKernels& ggml_kernels(Isa isa);

// One for each file ggml_<isa>.cpp.
extern const GgmlKernels kGgmlScalar;
extern const GgmlKernels kGgmlAvx2;
extern const GgmlKernels kGgmlAvx512;

}  // namespace weightfs::codec
