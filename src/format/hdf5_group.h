// The links of a group, in its three forms: a symbol table, link messages in its header, and a
// fractal heap of link messages. HDF5 specification, III.A.1, III.B-D and IV.A.2.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hdf5_object.h"
#include "hdf5_reader.h"

namespace weightfs::format {

struct Hdf5Link {
  std::string name;
  std::uint64_t address = 0;  // of the object's header
};

// Hard links only, at most kMaxLinkCount; empty for what is not a group. reader.failed() where the
// group is broken.
constexpr std::size_t kMaxLinkCount = 1 << 20;
std::vector<Hdf5Link> hdf5_links_of(Hdf5Reader& reader, const std::vector<Hdf5Message>& messages);

}  // namespace weightfs::format
