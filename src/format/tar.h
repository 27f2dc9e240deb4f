// The members of a tar file (POSIX.1-1988 and GNU headers), uncompressed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weightfs/base/source.h"

namespace weightfs::format {

struct TarMember {
  std::string name;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};

// Whether a file starts with a tar header whose checksum is right.
bool looks_like_tar(ByteSpan head);

// The regular files in their order, each of them within the file. Code::invalid where a header is
// broken or a member is cut off. At most bounds.h's kMaxTensors headers are read.
Result<std::vector<TarMember>> read_tar_directory(const ByteSource& source);

}  // namespace weightfs::format
