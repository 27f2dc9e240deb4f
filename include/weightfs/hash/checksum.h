// Checksums of small records, against bits that flip on disk. Not for naming content.
#pragma once

#include <cstdint>

#include "weightfs/base/bytes.h"

namespace weightfs {

// XXH3-64 of `bytes` under `seed`; chain parts by passing one part's checksum as the next one's
// seed. Persisted: never changes. Thread-safe.
std::uint64_t checksum(ByteSpan bytes, std::uint64_t seed = 0);

}  // namespace weightfs
