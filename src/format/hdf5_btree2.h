// Version 2 B-trees, which index links and chunks in newer files. HDF5 specification, III.A.2.
#pragma once

#include <cstdint>
#include <functional>

#include "hdf5_reader.h"

namespace weightfs::format {

// Calls `record` once for each record, a node after its children, with the reader at the record's
// first byte; `record_bytes` is how long each is. Stops, with reader.failed(), where the tree is
// broken.
void for_each_btree2_record(Hdf5Reader& reader, std::uint64_t tree_address,
                            const std::function<void(unsigned record_bytes)>& record);

}  // namespace weightfs::format
