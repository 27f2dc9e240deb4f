// How to cut a tensor that is a cast of a stored one: along the blocks of that, so that each of its
// blocks is a function of one block.
#pragma once

#include <vector>

#include "resized_tensor.h"

namespace weightfs::file {

// Pieces from the start of the extent to its end, none longer than a block; empty where the cuts of
// `base`, a tensor of another dtype with as many elements, fall within a unit of the extent's
// dtype.
std::vector<PlannedPiece> pieces_of_source(const BaseTensor& base, const Extent& extent);

}  // namespace weightfs::file
