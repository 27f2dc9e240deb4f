#include "derived_tensor.h"

#include <algorithm>

#include "weightfs/chunk/cutter.h"
#include "weightfs/codec/derivation.h"

namespace weightfs::file {

std::vector<PlannedPiece> pieces_of_source(const BaseTensor& base, const Extent& extent) {
  const DtypeLayout unit = dtype_layout(extent.dtype);
  const std::uint64_t base_elements = base.block_bytes / dtype_layout(base.dtype).unit_bytes *
                                      dtype_layout(base.dtype).unit_elements;
  if (base_elements == 0 || base_elements % unit.unit_elements != 0) return {};
  const std::uint64_t covered_bytes = base_elements / unit.unit_elements * unit.unit_bytes;
  const std::uint64_t longest_bytes = chunk::kBlockBytes / unit.unit_bytes * unit.unit_bytes;
  std::vector<PlannedPiece> pieces;
  std::uint64_t begin = 0;
  for (const store::BlobId blob : base.blobs) {
    const std::uint64_t end = std::min(begin + covered_bytes, extent.length_bytes);
    for (std::uint64_t at = begin; at < end;) {
      const std::uint64_t offset = codec::source_bytes(base.dtype, extent.dtype, at - begin);
      at = std::min(at + longest_bytes, end);
      pieces.push_back(
          {.end_bytes = at, .base = blob, .base_offset_bytes = static_cast<std::size_t>(offset)});
    }
    begin = end;
  }
  return begin == extent.length_bytes ? pieces : std::vector<PlannedPiece>();
}

}  // namespace weightfs::file
