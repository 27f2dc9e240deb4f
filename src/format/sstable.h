// LevelDB's sorted tables, as TensorFlow writes its indices.
// https://github.com/google/leveldb/blob/main/doc/table_format.md
//
// Read by code of our own: libleveldb allocates what a block's handle says, before it reads
// (docs/decisions/0012-own-readers-for-hdf5-and-tables.md). Checksums are not checked: what an
// entry says is checked against the file that it describes.
#pragma once

#include <functional>
#include <string_view>

#include "weightfs/base/result.h"
#include "weightfs/base/source.h"

namespace weightfs::format {

// Whether the file ends in a table's magic number.
bool looks_like_sstable(const ByteSource& source);

// Called with each key and value, borrowed for the call; returns false to stop.
using SstableEntry = std::function<bool(std::string_view key, ByteSpan value)>;

// Calls `entry` in key order. Code::invalid where the table is broken, Code::unsupported where a
// block is compressed.
Status for_each_sstable_entry(const ByteSource& source, const SstableEntry& entry);

}  // namespace weightfs::format
