// What a dataset's messages say: its element type, its shape, and where its bytes are.
// HDF5 specification, IV.A.2.b (dataspace), d (datatype), i (layout), l (filters).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "hdf5_object.h"
#include "hdf5_reader.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

struct Hdf5Type {
  Dtype dtype = Dtype::opaque;
  std::uint32_t element_bytes = 0;
  bool is_big_endian = false;
  bool is_variable_length = false;  // the elements are references to bytes elsewhere
};

enum class Hdf5Storage { none, compact, contiguous, chunked, other };

// The structures that lead to a dataset's chunks; numbers are those of the layout message.
enum class Hdf5ChunkIndex : std::uint8_t {
  btree1 = 0,  // layout versions before 4
  single = 1,
  implicit = 2,
  fixed_array = 3,
  extensible_array = 4,
  btree2 = 5,
};

struct Hdf5Dataset {
  Hdf5Type type;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> max_shape;  // to which it may grow: indices of chunks are by this
  Hdf5Storage storage = Hdf5Storage::none;
  bool is_filtered = false;
  std::uint64_t address = Hdf5Reader::kUndefined;  // of the bytes, or of the chunks' index
  Hdf5ChunkIndex chunk_index = Hdf5ChunkIndex::btree1;
  std::vector<std::uint64_t> chunk_shape;  // as many dimensions as `shape`
};

// Nothing where the messages are not a dataset's; reader.failed() where they are broken.
std::optional<Hdf5Dataset> hdf5_dataset_of(Hdf5Reader& reader,
                                           const std::vector<Hdf5Message>& messages);

}  // namespace weightfs::format
