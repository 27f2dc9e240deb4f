// Where the chunks of a dataset are. HDF5 specification, III.A.1, VII (appendix C).
#pragma once

#include <cstdint>
#include <vector>

#include "hdf5_dataset.h"
#include "hdf5_reader.h"

namespace weightfs::format {

struct Hdf5Chunk {
  std::uint64_t address = 0;
  std::uint64_t first_row = 0;  // the chunk's place in the first dimension, in elements
};

// The chunks that were written, at most kMaxChunkCount; reader.failed() where the index is broken.
// Empty for extensible arrays, which are not read.
constexpr std::size_t kMaxChunkCount = 1 << 20;
std::vector<Hdf5Chunk> hdf5_chunks_of(Hdf5Reader& reader, const Hdf5Dataset& dataset);

}  // namespace weightfs::format
