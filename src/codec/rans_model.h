// Which tables code a plane: one for plain weights, several where the statistics vary along the
// plane (optimizer state, rows of different scale), chosen from a sample.
#pragma once

#include "rans.h"

namespace weightfs::codec {

// A model for `symbols`, whose sample is given. Takes several tables only if they promise to save
// more than they cost; `thorough` looks closer.
RansModel choose_rans_model(ByteSpan symbols, const SampledHistogram& sample, bool thorough,
                            Isa isa = active_isa());

}  // namespace weightfs::codec
