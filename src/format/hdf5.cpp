// HDF5, and with it Keras .h5: every dataset is a tensor. Contiguous and compact ones are one
// extent, chunked ones an extent a run of whole rows, or one a chunk; filtered chunks are opaque.
#include <algorithm>
#include <unordered_set>

#include "hdf5_chunks.h"
#include "hdf5_dataset.h"
#include "hdf5_group.h"
#include "layout_builder.h"
#include "parsers.h"
#include "shared_extents.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr int kMaxGroupDepth = 64;

class FileReader {
 public:
  FileReader(Hdf5Reader reader, LayoutBuilder& builder)
      : reader_(std::move(reader)), builder_(builder), extents_(builder) {}

  Status read() {
    read_object({}, reader_.root_address(), kMaxGroupDepth);
    if (reader_.failed()) return fail(Code::invalid, "the structure of the file is broken");
    return {};
  }

 private:
  // Hard links may make a graph of the tree: each object is read once.
  void read_object(const std::string& name, std::uint64_t address, int depth_left) {
    if (depth_left == 0) return reader_.set_failed();
    if (reader_.failed() || builder_.failed() || !visited_.insert(address).second) return;
    const std::vector<Hdf5Message> messages = hdf5_messages_of(reader_, address);
    if (const auto dataset = hdf5_dataset_of(reader_, messages)) return add(name, *dataset);
    for (const Hdf5Link& link : hdf5_links_of(reader_, messages)) {
      read_object(name.empty() ? link.name : name + "/" + link.name, link.address, depth_left - 1);
    }
  }

  void add(const std::string& name, const Hdf5Dataset& dataset) {
    Tensor tensor;
    tensor.name = name;
    tensor.dtype = dataset.type.dtype;
    tensor.shape = dataset.shape;
    if (dataset.type.is_big_endian) tensor.note = "big-endian";
    if (dataset.type.is_variable_length) tensor.note = "variable length";
    switch (dataset.storage) {
      case Hdf5Storage::compact:
      case Hdf5Storage::contiguous:
        return add_run(std::move(tensor), dataset);
      case Hdf5Storage::chunked:
        return add_chunked(std::move(tensor), dataset);
      case Hdf5Storage::other:
        tensor.note = "stored elsewhere";
        [[fallthrough]];
      case Hdf5Storage::none:
        return builder_.add_view(std::move(tensor));
    }
  }

  static std::optional<std::uint64_t> dense_bytes_of(const Hdf5Dataset& dataset) {
    const auto count = element_count_of(dataset.shape);
    return count ? checked_multiply<std::uint64_t>(*count, dataset.type.element_bytes)
                 : std::nullopt;
  }

  void add_run(Tensor tensor, const Hdf5Dataset& dataset) {
    const auto length_bytes = dense_bytes_of(dataset);
    if (!length_bytes) return reader_.set_failed();
    if (dataset.address == Hdf5Reader::kUndefined) return builder_.add_view(std::move(tensor));
    tensor.offset_bytes = reader_.file_offset(dataset.address);
    tensor.length_bytes = *length_bytes;
    if (dataset.type.is_big_endian) return add_foreign(std::move(tensor));
    extents_.add_tensor(std::move(tensor));
  }

  // Elements that the codecs must not take for numbers: an extent of their own, of opaque bytes.
  void add_foreign(Tensor tensor) {
    builder_.add_extent({.offset_bytes = tensor.offset_bytes,
                         .length_bytes = tensor.length_bytes,
                         .row_bytes = row_bytes_of(tensor.shape, tensor.dtype)});
    builder_.add_view(std::move(tensor));
  }

  void add_chunked(Tensor tensor, const Hdf5Dataset& dataset) {
    const bool is_opaque = dataset.is_filtered || dataset.type.is_big_endian ||
                           dataset.chunk_index == Hdf5ChunkIndex::extensible_array;
    if (is_opaque || tensor.shape.empty()) {
      tensor.note = dataset.is_filtered ? "filtered chunks" : "chunked";
      return builder_.add_view(std::move(tensor));
    }
    std::vector<Extent> runs = runs_of(dataset);
    const bool is_whole = runs.size() == 1 && runs[0].length_bytes == dense_bytes_of(dataset);
    if (is_whole) {
      tensor.offset_bytes = runs[0].offset_bytes;
      tensor.length_bytes = runs[0].length_bytes;
      return extents_.add_tensor(std::move(tensor));
    }
    tensor.note = "chunked";
    for (const Extent& run : runs) builder_.add_extent(run);
    builder_.add_view(std::move(tensor));
  }

  static bool has_whole_rows(const Hdf5Dataset& dataset) {
    return std::equal(dataset.shape.begin() + 1, dataset.shape.end(),
                      dataset.chunk_shape.begin() + 1, dataset.chunk_shape.end());
  }

  std::vector<Hdf5Chunk> sorted_chunks_of(const Hdf5Dataset& dataset) {
    std::vector<Hdf5Chunk> chunks = hdf5_chunks_of(reader_, dataset);
    std::stable_sort(chunks.begin(), chunks.end(), [](const Hdf5Chunk& a, const Hdf5Chunk& b) {
      return a.first_row < b.first_row;
    });
    return chunks;
  }

  // The chunks as extents. Where chunks are runs of whole rows, their padding is left out, and
  // those that follow each other in the file are one.
  std::vector<Extent> runs_of(const Hdf5Dataset& dataset) {
    const auto elements = element_count_of(dataset.chunk_shape);
    const auto chunk_bytes =
        elements ? checked_multiply<std::uint64_t>(*elements, dataset.type.element_bytes)
                 : std::nullopt;
    if (!chunk_bytes) {
      reader_.set_failed();
      return {};
    }
    const std::uint64_t chunk_row_bytes = *chunk_bytes / dataset.chunk_shape[0];
    std::vector<Extent> runs;
    for (const Hdf5Chunk& chunk : sorted_chunks_of(dataset)) {
      Extent extent{.offset_bytes = reader_.file_offset(chunk.address),
                    .length_bytes = *chunk_bytes,
                    .dtype = dataset.type.dtype,
                    .row_bytes = dataset.shape.size() > 1 ? chunk_row_bytes : 0};
      if (has_whole_rows(dataset)) {
        if (chunk.first_row >= dataset.shape[0]) continue;
        const std::uint64_t row_count =
            std::min(dataset.chunk_shape[0], dataset.shape[0] - chunk.first_row);
        extent.length_bytes = row_count * chunk_row_bytes;
        if (joins(runs, extent)) continue;
      }
      runs.push_back(extent);
    }
    return runs;
  }

  // Whether `extent` starts where the last run ends; it is then a part of it.
  static bool joins(std::vector<Extent>& runs, const Extent& extent) {
    if (runs.empty()) return false;
    Extent& last = runs.back();
    if (last.offset_bytes + last.length_bytes != extent.offset_bytes) return false;
    last.length_bytes += extent.length_bytes;
    return true;
  }

  Hdf5Reader reader_;
  LayoutBuilder& builder_;
  SharedExtents extents_;
  std::unordered_set<std::uint64_t> visited_;
};

class Hdf5Parser final : public Parser {
 public:
  std::string_view name() const override { return "hdf5"; }

  Confidence detect(const ParseInput& input) const override {
    return Hdf5Reader::find_signature(input.head) ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const auto offset_bytes = Hdf5Reader::find_signature(input.head);
    if (!offset_bytes) return fail(Code::invalid, "there is no superblock");
    WEIGHTFS_ASSIGN(Hdf5Reader reader, Hdf5Reader::open(input.source, *offset_bytes));
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(FileReader(std::move(reader), builder).read());
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& hdf5_parser() {
  static const Hdf5Parser kParser;
  return kParser;
}

}  // namespace weightfs::format
