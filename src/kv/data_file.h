// LMDB's data file as a file: what must hold before LMDB maps it, and what its failures mean.
// Private to kv/.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <string>

#include "page_walk.h"
#include "weightfs/base/result.h"

namespace weightfs::kv {

// Checks the meta pages of the data file at `path` and walks its trees (all of them in a short
// file, whatever `options` say). The file's size; 0 where it is not there or empty. Code::corrupt
// for a foreign, truncated or damaged file, Code::newer_version for another data format.
Result<std::uint64_t> check_data_file(const std::string& path, PageWalkOptions options);

// LMDB answers EIO when the disk takes only a part of a write. This is `code`, or ENOSPC or EDQUOT
// if that is what the disk says when asked for `wanted_bytes`.
int cause_of_failed_write(MDB_env* env, int code, std::uint64_t wanted_bytes);

}  // namespace weightfs::kv
