#include "hdf5_heap.h"

#include <algorithm>
#include <bit>

namespace weightfs::format {

std::optional<Hdf5FractalHeap> Hdf5FractalHeap::open(Hdf5Reader& reader, std::uint64_t address) {
  reader.seek(address);
  if (!reader.signature("FRHP")) return std::nullopt;
  reader.skip(1);
  Hdf5FractalHeap heap;
  heap.id_bytes_ = reader.u16();
  const bool is_filtered = reader.u16() != 0;
  reader.skip(1);
  heap.max_managed_bytes_ = reader.u32();
  reader.skip(2 * std::uint64_t{reader.address_bytes()} +
              10 * std::uint64_t{reader.size_field_bytes()});
  heap.table_width_ = reader.u16();
  heap.start_block_bytes_ = reader.size_field();
  heap.max_direct_bytes_ = reader.size_field();
  heap.heap_bits_ = reader.u16();
  reader.skip(2);  // rows that a new root starts with
  const std::uint64_t root = reader.address_field();
  heap.root_ = {.address = root, .heap_offset = 0, .row_count = reader.u16()};
  if (reader.failed() || is_filtered || !heap.is_sound()) return std::nullopt;
  return heap;
}

bool Hdf5FractalHeap::is_sound() const {
  return heap_bits_ >= 1 && heap_bits_ <= 64 && table_width_ > 0 &&
         std::has_single_bit(start_block_bytes_) && std::has_single_bit(max_direct_bytes_) &&
         start_block_bytes_ <= max_direct_bytes_ && max_direct_bytes_ <= (1ULL << 32) &&
         root_.row_count <= 64 && root_.address != Hdf5Reader::kUndefined;
}

// The first two rows have blocks of the starting size, each one after that doubles it.
std::uint64_t Hdf5FractalHeap::row_block_bytes(unsigned row) const {
  const unsigned doublings = row == 0 ? 0 : row - 1;
  const unsigned room = static_cast<unsigned>(std::countl_zero(start_block_bytes_ * table_width_));
  return doublings < room ? start_block_bytes_ << doublings : 0;
}

unsigned Hdf5FractalHeap::direct_row_count() const {
  return static_cast<unsigned>(std::countr_zero(max_direct_bytes_) -
                               std::countr_zero(start_block_bytes_)) +
         2;
}

std::optional<std::uint64_t> Hdf5FractalHeap::locate(Hdf5Reader& reader) const {
  const std::uint8_t kind = reader.u8();
  if ((kind & 0xf0) != 0) return std::nullopt;  // huge or tiny, or a newer version
  const std::uint64_t heap_offset = reader.sized(std::min(offset_bytes(), 8U));
  Block block = root_;
  while (block.row_count > 0) {
    const auto child = child_of(reader, block, heap_offset);
    if (!child || child->address == Hdf5Reader::kUndefined) return std::nullopt;
    if (child->row_count >= block.row_count) return std::nullopt;
    block = *child;
  }
  return block.address + (heap_offset - block.heap_offset);
}

std::optional<Hdf5FractalHeap::Block> Hdf5FractalHeap::child_of(Hdf5Reader& reader,
                                                                const Block& block,
                                                                std::uint64_t heap_offset) const {
  const std::uint64_t entries =
      block.address + 5 + reader.address_bytes() + offset_bytes();  // behind the block's prefix
  std::uint64_t row_begin = block.heap_offset;
  for (unsigned row = 0; row < block.row_count; ++row) {
    const std::uint64_t block_bytes = row_block_bytes(row);
    if (block_bytes == 0) return std::nullopt;
    const std::uint64_t column = (heap_offset - row_begin) / block_bytes;
    if (column < table_width_) {
      reader.seek(entries + (row * table_width_ + column) * reader.address_bytes());
      Block child{.address = reader.address_field(),
                  .heap_offset = row_begin + column * block_bytes,
                  .row_count = 0};
      if (row >= direct_row_count()) child.row_count = row - direct_row_count() + 1;
      return reader.failed() ? std::nullopt : std::optional(child);
    }
    row_begin += block_bytes * table_width_;
  }
  return std::nullopt;
}

}  // namespace weightfs::format
