// Where the system mapped a file into this process. Private to kv/.
#pragma once

#include <optional>
#include <span>

#include "weightfs/base/bytes.h"

namespace weightfs::kv {

// The longest mapping of the file behind `fd`, by /proc/self/maps; nothing where there is none.
// LMDB does not tell where it mapped its file.
std::optional<MutableByteSpan> find_mapping(int fd);

}  // namespace weightfs::kv
