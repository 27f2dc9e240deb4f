// How to cut a tensor that gained or lost rows: along the blocks of the tensor that it was before.
//
//   rows of both -> runs of alike rows -> pieces: a whole block of the base (found by content),
//   a part of one (a slice of it), or what is new
#pragma once

#include <functional>
#include <vector>

#include "row_alignment.h"
#include "row_signatures.h"
#include "weightfs/file/base_finder.h"
#include "weightfs/hash/content_id.h"

namespace weightfs::file {

struct PlannedPiece {
  std::uint64_t end_bytes = 0;               // in the tensor
  store::BlobId base = store::BlobId::none;  // the block that holds its bytes; none where new
  std::size_t base_offset_bytes = 0;         // where in that block
};

// Pieces for a tensor of `length_bytes` with rows of `row_bytes`, from its start to its end, none
// longer than a block.
std::vector<PlannedPiece> pieces_of_runs(std::uint64_t length_bytes, std::uint64_t row_bytes,
                                         const BaseTensor& base, std::span<const RowRun> runs);

// Whether a block of this content is stored, or about to be.
using IsStored = std::function<bool(const ContentId&)>;

// The pieces of the extent where they follow the cuts of one of the tensors of its name, with more
// or fewer rows, and a part of them is stored; empty otherwise. Reads a few rows of each, and all
// of both only where they agree. Thread-safe.
std::vector<PlannedPiece> plan_resized_tensor(BaseFinder& finder, const Extent& extent,
                                              const Tensor& tensor, const ByteSource& source,
                                              const IsStored& is_stored);

}  // namespace weightfs::file
