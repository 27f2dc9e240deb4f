#include "weightfs/hash/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace weightfs {

std::uint64_t checksum(ByteSpan bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace weightfs
