// Core ML's weight.bin, the blobs of an mlpackage: a header of 64 bytes, then for each blob 64
// bytes that describe it and its bytes, all aligned to 64. The names are in model.mlmodel, one
// directory up. coremltools/mlmodel/src/MILBlob/Blob/{StorageFormat,MMapFileReader}.
#include <array>

#include "bounds.h"
#include "layout_builder.h"
#include "parsers.h"
#include "source_reader.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr std::uint64_t kAlignmentBytes = 64;
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kSentinel = 0xdeadbeef;

// BlobDataType, in its order. 3 and 6 bits have no dtype here.
constexpr std::array kDtypes = {
    Dtype::opaque, Dtype::f16,    Dtype::f32, Dtype::u8,  Dtype::i8,      Dtype::bf16,
    Dtype::i16,    Dtype::u16,    Dtype::i4,  Dtype::u1,  Dtype::u2,      Dtype::u4,
    Dtype::opaque, Dtype::opaque, Dtype::i32, Dtype::u32, Dtype::f8_e4m3, Dtype::f8_e5m2,
};

// What stands before a blob's bytes.
struct BlobHeader {
  std::uint32_t type = 0;
  std::uint64_t length_bytes = 0;
  std::uint64_t offset_bytes = 0;
};

std::optional<BlobHeader> read_blob_header(SourceReader& reader, std::uint64_t position) {
  reader.seek(position);
  if (reader.u32() != kSentinel) return std::nullopt;
  BlobHeader header{
      .type = reader.u32(), .length_bytes = reader.u64(), .offset_bytes = reader.u64()};
  if (reader.failed() || header.offset_bytes < position + kAlignmentBytes) return std::nullopt;
  return header;
}

Tensor tensor_of(const BlobHeader& header, std::uint64_t position) {
  Tensor tensor;
  tensor.name = "blob@" + std::to_string(position);  // as the model refers to it
  if (header.type < kDtypes.size()) tensor.dtype = kDtypes[header.type];
  const DtypeLayout unit = dtype_layout(tensor.dtype);
  if (header.length_bytes % unit.unit_bytes != 0) tensor.dtype = Dtype::opaque;
  const DtypeLayout sound_unit = dtype_layout(tensor.dtype);
  tensor.shape = {header.length_bytes / sound_unit.unit_bytes * sound_unit.unit_elements};
  tensor.offset_bytes = header.offset_bytes;
  tensor.length_bytes = header.length_bytes;
  return tensor;
}

class CoremlWeightsParser final : public Parser {
 public:
  std::string_view name() const override { return "coreml-weights"; }

  Confidence detect(const ParseInput& input) const override {
    if (input.head.size() < 2 * kAlignmentBytes) return Confidence::none;
    ByteReader in(input.head);
    in.skip(4);
    const std::uint32_t version = in.u32();
    in.seek(kAlignmentBytes);
    const bool is_storage = version == kVersion && in.u32() == kSentinel;
    return is_storage ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    SourceReader reader(input.source);
    const std::uint32_t blob_count = reader.u32();
    LayoutBuilder builder(name(), input.source.size_bytes());
    std::uint64_t position = kAlignmentBytes;
    for (std::uint32_t i = 0; i < blob_count && !builder.failed(); ++i) {
      const auto header = read_blob_header(reader, position);
      if (!header) return fail(Code::invalid, "blob " + std::to_string(i) + " has no header");
      const auto end = checked_add(header->offset_bytes, header->length_bytes);
      if (!end || *end > input.source.size_bytes()) {
        return fail(Code::invalid, "a blob reaches past the end of the file");
      }
      builder.add_tensor(tensor_of(*header, position));
      position = (*end + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
    }
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& coreml_weights_parser() {
  static const CoremlWeightsParser kParser;
  return kParser;
}

}  // namespace weightfs::format
