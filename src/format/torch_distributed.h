// The names of what a *.distcp file of PyTorch's distributed checkpoints holds, which only the
// pickle
// `.metadata` beside it knows. torch/distributed/checkpoint/metadata.py, filesystem.py.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "weightfs/format/format.h"

namespace weightfs::format {

// By the offset at which an archive begins: the tensor's name in the state dict, with where it
// begins behind it if it is a later part of a sharded one ("w[512,0]"). Empty where there is no
// such neighbour, or none that can be read.
std::unordered_map<std::uint64_t, std::string> distributed_names(const ParseInput& input);

}  // namespace weightfs::format
