// The central directory of a zip file (APPNOTE.TXT 6.3, PKWARE), with zip64, stored and compressed
// members and data descriptors. Nothing is decompressed: a stored member's bytes lie in the file as
// they are, and a compressed member is opaque.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weightfs/base/source.h"

namespace weightfs::format {

struct ZipMember {
  std::string name;
  bool is_stored = false;  // neither compressed nor encrypted
  // Where the member's bytes (compressed, unless it is stored) lie in the file.
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};

// Whether a file starts as zip files do: with a local header, or an empty directory.
bool looks_like_zip(ByteSpan head);

// All members in the directory's order, each of them within the file. Code::invalid where there is
// no directory, where it or a local header lies outside of the file or has a wrong mark, and for
// archives of several disks. Members may overlap: whoever makes extents of them must check.
Result<std::vector<ZipMember>> read_zip_directory(const ByteSource& source);

// Where the archive begins that ends with the file: 0, unless something lies before it (another
// archive, a program that unpacks it), whose length no offset within counts. Code::invalid where
// there is no directory.
Result<std::uint64_t> find_zip_begin(const ByteSource& source);

// The first member of that name, or nullptr.
const ZipMember* find_member(const std::vector<ZipMember>& members, std::string_view name);

}  // namespace weightfs::format
