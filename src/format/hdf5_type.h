// Datatype messages. HDF5 specification, IV.A.2.d.
#pragma once

#include "hdf5_dataset.h"

namespace weightfs::format {

// The type of the datatype message among `messages`, also where it is a committed one in another
// object. Dtype::opaque with its size for what has no dtype here.
Hdf5Type hdf5_type_of(Hdf5Reader& reader, const std::vector<Hdf5Message>& messages);

}  // namespace weightfs::format
