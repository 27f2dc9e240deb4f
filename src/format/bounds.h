// What one parse may cost, whatever the file says (docs/file-formats.md states each to the user).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weightfs::format {

// All that a parser may read of a file, and how long it may go on reading.
constexpr std::uint64_t kMaxReadBytes = 512ULL << 20;
constexpr std::chrono::seconds kMaxParseTime{10};

// Tensors and extents of one layout. The largest checkpoints have some 100,000.
constexpr std::size_t kMaxTensors = 1 << 20;
constexpr std::size_t kMaxDimensions = 64;
constexpr std::size_t kMaxNameBytes = 4096;

// Metadata is for people to read: what is longer is cut, what is more is left out.
constexpr std::size_t kMaxMetadataEntries = 1024;
constexpr std::size_t kMaxMetadataValueBytes = 2048;

// A header that is read whole (JSON, a zip directory, a pickle without its arrays).
constexpr std::uint64_t kMaxHeaderBytes = 64ULL << 20;

// Files in files: a zip in a zip is depth 2.
constexpr int kMaxNesting = 4;

}  // namespace weightfs::format
