// Attributes of HDF5 objects that are text. HDF5 specification, IV.A.2.m and III.E.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hdf5_object.h"

namespace weightfs::format {

// The text of the attribute `name` among `messages`, of fixed or of variable length; empty where
// there is none, where it is not a text, and where it is longer than 256 bytes.
std::string hdf5_text_attribute(Hdf5Reader& reader, const std::vector<Hdf5Message>& messages,
                                std::string_view name);

}  // namespace weightfs::format
