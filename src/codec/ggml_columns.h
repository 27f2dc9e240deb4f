// Where scales and quants lie in ggml's quantized blocks (ggml-common.h of llama.cpp describes
// them).
#pragma once

#include <vector>

#include "ints_plan.h"

namespace weightfs::codec {

// The columns of a unit of `dtype`; empty if it is none of ggml's that this version knows apart.
std::vector<Column> ggml_columns(Dtype dtype);

}  // namespace weightfs::codec
