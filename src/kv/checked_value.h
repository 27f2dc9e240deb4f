// Values that know when a bit of them, or of their key, has flipped on disk. Private to kv/.
//
// docs/store-format.md, "meta environment": a value on disk is the value's bytes, then the XXH3-64
// of those bytes seeded with the XXH3-64 of the key, little-endian. LMDB itself checks nothing.
#pragma once

#include <string>
#include <string_view>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::kv {

// What goes to disk for a key and its value.
std::string with_checksum(std::string_view key, std::string_view value);
// The value in what came from disk, borrowed; Code::corrupt where it is not what was written for
// the key.
Result<std::string_view> without_checksum(std::string_view key, ByteSpan stored);

}  // namespace weightfs::kv
