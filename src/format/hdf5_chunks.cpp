#include "hdf5_chunks.h"

#include "hdf5_btree2.h"
#include "layout_builder.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr int kMaxTreeDepth = 16;

class ChunkReader {
 public:
  ChunkReader(Hdf5Reader& reader, const Hdf5Dataset& dataset)
      : reader_(reader), dataset_(dataset) {}

  std::vector<Hdf5Chunk> read() {
    if (dataset_.address == Hdf5Reader::kUndefined || dataset_.shape.empty()) return {};
    switch (dataset_.chunk_index) {
      case Hdf5ChunkIndex::btree1:
        read_btree1(dataset_.address, kMaxTreeDepth);
        break;
      case Hdf5ChunkIndex::single:
        add({.address = dataset_.address});
        break;
      case Hdf5ChunkIndex::implicit:
        read_implicit();
        break;
      case Hdf5ChunkIndex::fixed_array:
        read_fixed_array();
        break;
      case Hdf5ChunkIndex::btree2:
        read_btree2();
        break;
      case Hdf5ChunkIndex::extensible_array:
        break;
    }
    return std::move(chunks_);
  }

 private:
  void add(Hdf5Chunk chunk) {
    if (chunks_.size() >= kMaxChunkCount) return reader_.set_failed();
    if (chunk.address != Hdf5Reader::kUndefined && !reader_.failed()) chunks_.push_back(chunk);
  }

  // A key is the chunk's size, its filter mask, and its place, with one dimension for the elements.
  void read_btree1(std::uint64_t address, int depth_left) {
    reader_.seek(address);
    if (depth_left == 0) return reader_.set_failed();
    if (!reader_.signature("TREE")) return;
    if (reader_.u8() != 1) return reader_.set_failed();
    const unsigned level = reader_.u8();
    const unsigned entry_count = reader_.u16();
    reader_.skip(2 * std::uint64_t{reader_.address_bytes()});
    const std::uint64_t entries = reader_.address();
    const std::uint64_t key_bytes = 8 + 8 * (dataset_.shape.size() + 1);
    const std::uint64_t entry_bytes = key_bytes + reader_.address_bytes();
    for (unsigned i = 0; i < entry_count && !reader_.failed(); ++i) {
      reader_.seek(entries + i * entry_bytes + 8);
      Hdf5Chunk chunk;
      chunk.first_row = reader_.u64();
      reader_.skip(key_bytes - 16);
      chunk.address = reader_.address_field();
      if (level > 0) {
        read_btree1(chunk.address, depth_left - 1);
      } else {
        add(chunk);
      }
    }
  }

  // Chunks of the whole grid, and of one row of it; nothing for what is not believed.
  struct Grid {
    std::uint64_t chunk_count = 1;
    std::uint64_t row_chunk_count = 1;
  };
  std::optional<Grid> grid() const {
    Grid grid;
    for (std::size_t i = dataset_.max_shape.size(); i-- > 0;) {
      const std::uint64_t chunk = dataset_.chunk_shape[i];
      const std::uint64_t along =
          dataset_.max_shape[i] / chunk + (dataset_.max_shape[i] % chunk != 0);
      const auto count = checked_multiply(grid.chunk_count, along);
      if (!count || *count > kMaxChunkCount) return std::nullopt;
      if (i == 0) grid.row_chunk_count = grid.chunk_count;
      grid.chunk_count = *count;
    }
    return grid;
  }

  std::uint64_t first_row_of(const Grid& grid, std::uint64_t index) const {
    return index / grid.row_chunk_count * dataset_.chunk_shape[0];
  }

  void read_implicit() {
    const auto grid_found = grid();
    const auto chunk_bytes = element_count_of(dataset_.chunk_shape);
    if (!grid_found || !chunk_bytes || *chunk_bytes > (1ULL << 40)) return reader_.set_failed();
    for (std::uint64_t i = 0; i < grid_found->chunk_count; ++i) {
      add({.address = dataset_.address + i * *chunk_bytes * dataset_.type.element_bytes,
           .first_row = first_row_of(*grid_found, i)});
    }
  }

  void read_fixed_array() {
    reader_.seek(dataset_.address);
    if (!reader_.signature("FAHD")) return;
    reader_.skip(1);
    const std::uint8_t client = reader_.u8();
    reader_.skip(1);
    const unsigned page_bits = reader_.u8();
    const std::uint64_t entry_count = reader_.size_field();
    const std::uint64_t block = reader_.address_field();
    const auto grid_found = grid();
    const bool is_sound = grid_found && entry_count <= grid_found->chunk_count && page_bits < 32;
    if (client != 0 || !is_sound) return reader_.set_failed();
    if (block != Hdf5Reader::kUndefined)
      read_array_block(*grid_found, {block, entry_count, page_bits});
  }

  struct ArrayBlock {
    std::uint64_t address;
    std::uint64_t entry_count;
    unsigned page_bits;
  };

  // Above one page, a bitmap of pages stands before them, and each ends in a checksum.
  void read_array_block(const Grid& grid, const ArrayBlock& block) {
    reader_.seek(block.address);
    if (!reader_.signature("FADB")) return;
    reader_.skip(2 + std::uint64_t{reader_.address_bytes()});
    const std::uint64_t page_entries = 1ULL << block.page_bits;
    const bool is_paged = block.entry_count > page_entries;
    std::uint64_t entries = reader_.address();
    if (is_paged) entries += ((block.entry_count - 1) / page_entries + 1 + 7) / 8 + 4;
    for (std::uint64_t i = 0; i < block.entry_count && !reader_.failed(); ++i) {
      const std::uint64_t page_checksums = is_paged ? i / page_entries * 4 : 0;
      reader_.seek(entries + i * reader_.address_bytes() + page_checksums);
      const std::uint64_t address = reader_.address_field();
      // A page that was never written holds zeros.
      if (address != 0) add({.address = address, .first_row = first_row_of(grid, i)});
    }
  }

  void read_btree2() {
    for_each_btree2_record(reader_, dataset_.address, [&](unsigned) {
      Hdf5Chunk chunk{.address = reader_.address_field()};
      const auto row = checked_multiply(reader_.u64(), dataset_.chunk_shape[0]);
      if (!row) return reader_.set_failed();
      chunk.first_row = *row;
      add(chunk);
    });
  }

  Hdf5Reader& reader_;
  const Hdf5Dataset& dataset_;
  std::vector<Hdf5Chunk> chunks_;
};

}  // namespace

std::vector<Hdf5Chunk> hdf5_chunks_of(Hdf5Reader& reader, const Hdf5Dataset& dataset) {
  return ChunkReader(reader, dataset).read();
}

}  // namespace weightfs::format
