// Fractal heaps, where groups with many links keep them. HDF5 specification, III.G.
#pragma once

#include <cstdint>
#include <optional>

#include "hdf5_reader.h"

namespace weightfs::format {

class Hdf5FractalHeap {
 public:
  // Reads the heap's header; nothing, with or without reader.failed(), where it is broken or its
  // blocks are filtered.
  static std::optional<Hdf5FractalHeap> open(Hdf5Reader& reader, std::uint64_t address);

  unsigned id_bytes() const { return id_bytes_; }
  // Where the object is whose heap id the reader stands at. Nothing for ids that are not of managed
  // objects, and where a block is missing.
  std::optional<std::uint64_t> locate(Hdf5Reader& reader) const;

 private:
  struct Block {
    std::uint64_t address;
    std::uint64_t heap_offset;
    unsigned row_count;  // of an indirect block; 0 for a direct one
  };

  bool is_sound() const;
  unsigned offset_bytes() const { return (heap_bits_ + 7) / 8; }
  std::uint64_t row_block_bytes(unsigned row) const;
  unsigned direct_row_count() const;
  // The child of an indirect block that holds `heap_offset`.
  std::optional<Block> child_of(Hdf5Reader& reader, const Block& block,
                                std::uint64_t heap_offset) const;

  unsigned id_bytes_ = 0;
  unsigned heap_bits_ = 0;
  std::uint64_t table_width_ = 0;
  std::uint64_t start_block_bytes_ = 0;
  std::uint64_t max_direct_bytes_ = 0;
  std::uint64_t max_managed_bytes_ = 0;
  Block root_{};
};

}  // namespace weightfs::format
