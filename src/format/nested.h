// Files inside of files: an array in a zip, a checkpoint in a zip in a zip.
#pragma once

#include "weightfs/format/format.h"

namespace weightfs::format {

struct NestedFile {
  std::uint64_t offset_bytes = 0;  // in the outer file; the caller has checked that it fits
  std::uint64_t length_bytes = 0;
  std::string_view name;
};

// The layout of a file that lies in `outer`, with offsets from its own start, by the first parser
// that is likely or certain to know it; opaque, with the reason, where it fails, and without one
// where no parser claims it. What it reads counts against the outer file's bounds, and nesting
// stops at bounds.h's kMaxNesting.
Layout parse_nested(const ParseInput& outer, const NestedFile& file);

}  // namespace weightfs::format
