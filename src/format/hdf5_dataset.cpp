#include "hdf5_dataset.h"

#include "bounds.h"
#include "hdf5_type.h"

namespace weightfs::format {
namespace {

void read_dataspace(Hdf5Reader& reader, const Hdf5Message& dataspace, Hdf5Dataset& dataset) {
  reader.seek(dataspace.address);
  const std::uint8_t version = reader.u8();
  const unsigned rank = reader.u8();
  const bool has_max_shape = (reader.u8() & 1) != 0;
  if (rank > kMaxDimensions || version == 0 || version > 2) return reader.set_failed();
  reader.skip(version == 1 ? 5 : 1);
  dataset.shape.resize(rank);
  for (std::uint64_t& dimension : dataset.shape) dimension = reader.size_field();
  dataset.max_shape = dataset.shape;
  if (!has_max_shape) return;
  for (std::uint64_t& dimension : dataset.max_shape) dimension = reader.size_field();
}

// The last one that the file gives is the element's size in bytes.
void read_chunk_shape(Hdf5Reader& reader, unsigned field_bytes, Hdf5Dataset& dataset) {
  for (std::size_t i = 0; i < dataset.shape.size(); ++i) {
    dataset.chunk_shape.push_back(reader.sized(field_bytes));
    if (dataset.chunk_shape.back() == 0) reader.set_failed();
  }
  reader.skip(field_bytes);
}

Hdf5Storage storage_of(std::uint8_t layout_class) {
  switch (layout_class) {
    case 0:
      return Hdf5Storage::compact;
    case 1:
      return Hdf5Storage::contiguous;
    case 2:
      return Hdf5Storage::chunked;
    default:
      return Hdf5Storage::other;
  }
}

void read_layout_1(Hdf5Reader& reader, Hdf5Dataset& dataset) {
  const unsigned dimension_count = reader.u8();
  dataset.storage = storage_of(reader.u8());
  reader.skip(5);
  if (dataset.storage != Hdf5Storage::compact) dataset.address = reader.address_field();
  if (dataset.storage == Hdf5Storage::chunked) {
    if (dimension_count != dataset.shape.size() + 1) return reader.set_failed();
    return read_chunk_shape(reader, 4, dataset);
  }
  if (dataset.storage != Hdf5Storage::compact) return;
  reader.skip(std::uint64_t{4} * dimension_count + 4);
  dataset.address = reader.address();
}

void read_layout_3(Hdf5Reader& reader, Hdf5Dataset& dataset) {
  if (dataset.storage == Hdf5Storage::compact) {
    reader.skip(2);
    dataset.address = reader.address();
  } else if (dataset.storage == Hdf5Storage::contiguous) {
    dataset.address = reader.address_field();
  } else if (dataset.storage == Hdf5Storage::chunked) {
    if (reader.u8() != dataset.shape.size() + 1) return reader.set_failed();
    dataset.address = reader.address_field();
    read_chunk_shape(reader, 4, dataset);
  }
}

void read_chunked_layout_4(Hdf5Reader& reader, Hdf5Dataset& dataset) {
  const std::uint8_t flags = reader.u8();
  if (reader.u8() != dataset.shape.size() + 1) return reader.set_failed();
  const unsigned field_bytes = reader.u8();
  if (field_bytes == 0 || field_bytes > 8) return reader.set_failed();
  read_chunk_shape(reader, field_bytes, dataset);
  const std::uint8_t index = reader.u8();
  if (index < 1 || index > 5) return reader.set_failed();
  dataset.chunk_index = static_cast<Hdf5ChunkIndex>(index);
  switch (dataset.chunk_index) {
    case Hdf5ChunkIndex::single:
      if ((flags & 2) != 0) reader.skip(reader.size_field_bytes() + 4);
      break;
    case Hdf5ChunkIndex::fixed_array:
      reader.skip(1);
      break;
    case Hdf5ChunkIndex::extensible_array:
      reader.skip(5);
      break;
    case Hdf5ChunkIndex::btree2:
      reader.skip(6);
      break;
    default:
      break;
  }
  dataset.address = reader.address_field();
}

void read_layout(Hdf5Reader& reader, const Hdf5Message& message, Hdf5Dataset& dataset) {
  reader.seek(message.address);
  const std::uint8_t version = reader.u8();
  if (version == 1 || version == 2) return read_layout_1(reader, dataset);
  if (version != 3 && version != 4) return;
  dataset.storage = storage_of(reader.u8());
  if (version == 4 && dataset.storage == Hdf5Storage::chunked) {
    return read_chunked_layout_4(reader, dataset);
  }
  read_layout_3(reader, dataset);
}

}  // namespace

std::optional<Hdf5Dataset> hdf5_dataset_of(Hdf5Reader& reader,
                                           const std::vector<Hdf5Message>& messages) {
  const Hdf5Message* dataspace = find_message(messages, Hdf5MessageType::dataspace);
  const Hdf5Message* layout = find_message(messages, Hdf5MessageType::layout);
  if (dataspace == nullptr || layout == nullptr || dataspace->is_shared()) return std::nullopt;
  Hdf5Dataset dataset;
  dataset.type = hdf5_type_of(reader, messages);
  read_dataspace(reader, *dataspace, dataset);
  dataset.is_filtered = find_message(messages, Hdf5MessageType::filters) != nullptr;
  if (!reader.failed()) read_layout(reader, *layout, dataset);
  if (find_message(messages, Hdf5MessageType::external_files) != nullptr) {
    dataset.storage = Hdf5Storage::other;
  }
  if (reader.failed()) return std::nullopt;
  return dataset;
}

}  // namespace weightfs::format
