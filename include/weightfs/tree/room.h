// Room for the tables to grow on a disk that others fill to its last byte.
#pragma once

#include <cstdint>
#include <string>

#include "weightfs/base/result.h"

namespace weightfs::tree {

// Takes `wanted_bytes` from the disk, behind the end of the data file of the tree in `path`: the
// commits' own, whoever else writes. Does nothing where the file system can't promise room.
// Thread-safe, and cheap where it is kept already. Code::no_space.
Status keep_room(const std::string& path, std::uint64_t wanted_bytes);
// Gives it back. Only while nothing can commit.
Status drop_room(const std::string& path);

}  // namespace weightfs::tree
