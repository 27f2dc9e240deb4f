// For a file that no parser knows: whether it is made of numbers of two or four bytes.
#pragma once

#include <optional>

#include "weightfs/format/format.h"

namespace weightfs::format {

// A layout with one extent of Dtype::guessed_16 or guessed_32, whose units are aligned so that the
// byte that varies least comes last, as in little-endian floats; nothing where the bytes don't say
// so clearly. Reads at most 256 KiB, spread over the file.
std::optional<Layout> guess_layout(const ByteSource& source);

}  // namespace weightfs::format
