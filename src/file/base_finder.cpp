#include "weightfs/file/base_finder.h"

#include <algorithm>

#include "weightfs/codec/derivation.h"
#include "weightfs/similar/base_search.h"

namespace weightfs::file {
namespace {

constexpr std::uint64_t kSmallestTensorBytes = 4096;
// Up to here a tensor is read in one piece for its sketch.
constexpr std::uint64_t kReadWholeBytes = std::uint64_t{64} << 10;

store::BlobId key_of(const tree::BaseRecord& record) {
  const auto first = std::ranges::find_if(
      record.blobs, [](store::BlobId id) { return id != store::BlobId::none; });
  return first == record.blobs.end() ? store::BlobId::none : *first;
}

bool add_samples(similar::SketchBuilder& builder, const Extent& extent, const ByteSource& source) {
  if (extent.length_bytes <= kReadWholeBytes) {
    ByteVector bytes(static_cast<std::size_t>(extent.length_bytes));
    if (!source.read_at(extent.offset_bytes, bytes)) return false;
    builder.add(0, bytes);
    return true;
  }
  ByteVector unit(builder.unit_bytes());
  for (std::size_t i = 0; i < similar::kSketchSamples; ++i) {
    const std::uint64_t offset = builder.sample_offset_bytes(i);
    if (!source.read_at(extent.offset_bytes + offset, unit)) return false;
    builder.add(offset, unit);
  }
  return true;
}

// The sketch of what ggml's blocks stand for, as floats: it can only be compared.
std::optional<similar::TensorSketch> sketch_of_quantized(const Extent& extent,
                                                         const ByteSource& source) {
  const DtypeLayout layout = dtype_layout(extent.dtype);
  similar::SketchBuilder builder(
      {.name = {},
       .dtype = Dtype::f32,
       .shape = {},
       .length_bytes = codec::source_bytes(Dtype::f32, extent.dtype, extent.length_bytes)});
  ByteVector unit(layout.unit_bytes);
  for (std::size_t i = 0; i < similar::kSketchSamples; ++i) {
    const std::uint64_t offset = builder.sample_offset_bytes(i);
    const std::uint64_t element = offset / sizeof(float);
    const std::uint64_t unit_offset = element / layout.unit_elements * layout.unit_bytes;
    if (!source.read_at(extent.offset_bytes + unit_offset, unit)) return std::nullopt;
    const float value = codec::dequantized(extent.dtype, unit, element % layout.unit_elements);
    builder.add(offset, std::as_bytes(std::span(&value, 1)));
  }
  return builder.finish();
}

}  // namespace

Result<std::unique_ptr<BaseFinder>> BaseFinder::open(tree::Tree& tree, BlockCache& cache) {
  std::unique_ptr<BaseFinder> finder(new BaseFinder(tree, cache));
  WEIGHTFS_TRY(tree.for_each_base([&](store::BlobId id, const tree::BaseRecord& record) {
    const auto sketch = similar::TensorSketch::parse(bytes_of(record.sketch));
    if (sketch) finder->index_.insert(store::number(id), *sketch);
    return true;
  }));
  return finder;
}

std::optional<similar::TensorSketch> BaseFinder::sketch(const Extent& extent, const Tensor* tensor,
                                                        const ByteSource& source) const {
  if (extent.length_bytes < kSmallestTensorBytes) return std::nullopt;
  if (codec::is_derivable_quantization(extent.dtype)) return sketch_of_quantized(extent, source);
  if (!is_float(extent.dtype)) return std::nullopt;
  similar::TensorDescription description;
  description.dtype = extent.dtype;
  description.length_bytes = extent.length_bytes;
  if (tensor != nullptr) {
    description.name = tensor->name;
    description.shape = tensor->shape;
  }
  similar::SketchBuilder builder(description);
  if (!add_samples(builder, extent, source)) return std::nullopt;
  return builder.finish();
}

std::optional<BaseTensor> BaseFinder::find(const similar::TensorSketch& sketch,
                                           const Extent& extent, std::uint64_t block_bytes,
                                           const ByteSource& source, codec::Tier tier) {
  std::vector<similar::Candidate> candidates;
  if (is_float(extent.dtype)) candidates = index_.candidates(sketch);
  for (const similar::Candidate& other : index_.candidates(sketch, {.same_layout = false})) {
    if (codec::is_derivable(other.dtype, extent.dtype)) candidates.push_back(other);
  }
  if (candidates.empty()) return std::nullopt;
  similar::NewTensor tensor;
  tensor.dtype = extent.dtype;
  tensor.length_bytes = extent.length_bytes;
  tensor.read = [&](std::uint64_t offset_bytes, MutableByteSpan out) {
    return source.read_at(extent.offset_bytes + offset_bytes, out);
  };
  const auto read = [this](std::uint64_t id, std::uint64_t offset_bytes, MutableByteSpan out) {
    return read_stored(id, offset_bytes, out);
  };
  similar::BaseSearchOptions options;
  options.tier = tier;
  codec::Scratch scratch;
  const auto choice = similar::choose_base(tensor, candidates, read, scratch, options);
  if (!choice || !*choice) return std::nullopt;
  const auto record = tree_.base(static_cast<store::BlobId>((*choice)->id));
  if (!record || !*record) return std::nullopt;
  BaseTensor base{.block_bytes = (*record)->block_bytes,
                  .blobs = std::move((*record)->blobs),
                  .dtype = (*choice)->dtype};
  if (base.dtype == extent.dtype && base.block_bytes != block_bytes) return std::nullopt;
  return base;
}

std::vector<NamesakeTensor> BaseFinder::resized(const Extent& extent, const Tensor& tensor,
                                                std::uint64_t block_bytes) const {
  if (tensor.shape.empty() || extent.row_bytes == 0) return {};
  similar::TensorDescription description;
  description.name = tensor.name;
  description.dtype = extent.dtype;
  description.shape = tensor.shape;
  description.length_bytes = extent.length_bytes;
  std::vector<NamesakeTensor> resized;
  for (const similar::Candidate& known :
       index_.namesakes(similar::sketch_without_samples(description))) {
    // What its shape would be if the rows were like these: other models have the same names.
    description.shape[0] = known.length_bytes / extent.row_bytes;
    const std::uint64_t shape_hash = similar::sketch_without_samples(description).shape_hash;
    if (known.length_bytes % extent.row_bytes != 0 || known.shape_hash != shape_hash) continue;
    auto record = tree_.base(static_cast<store::BlobId>(known.id));
    if (!record || !*record || (*record)->block_bytes != block_bytes) continue;
    resized.push_back({.tensor = {.block_bytes = block_bytes,
                                  .blobs = std::move((*record)->blobs),
                                  .dtype = extent.dtype},
                       .length_bytes = known.length_bytes});
  }
  return resized;
}

Status BaseFinder::read_stored(std::uint64_t id, std::uint64_t offset_bytes, MutableByteSpan out) {
  WEIGHTFS_ASSIGN(const auto record, tree_.base(static_cast<store::BlobId>(id)));
  if (!record) return fail(Code::not_found, "the base is gone");
  const BaseTensor tensor{
      .block_bytes = record->block_bytes, .blobs = record->blobs, .dtype = Dtype::opaque};
  return read(tensor, offset_bytes, out);
}

Status BaseFinder::read(const BaseTensor& tensor, std::uint64_t offset_bytes, MutableByteSpan out) {
  while (!out.empty()) {
    const std::uint64_t index = offset_bytes / tensor.block_bytes;
    if (index >= tensor.blobs.size()) return fail(Code::invalid, "past the end of the base");
    const store::BlobId blob = tensor.blobs[static_cast<std::size_t>(index)];
    if (blob == store::BlobId::none) return fail(Code::not_found, "that block can't be a base");
    WEIGHTFS_ASSIGN(const auto block, cache_.get(blob));
    const auto from = static_cast<std::size_t>(offset_bytes % tensor.block_bytes);
    if (from >= block->bytes().size()) return fail(Code::invalid, "past the end of the base");
    const std::size_t length = std::min(out.size(), block->bytes().size() - from);
    std::ranges::copy(block->bytes().subspan(from, length), out.begin());
    out = out.subspan(length);
    offset_bytes += length;
  }
  return {};
}

void BaseFinder::put(tree::Change& change, const Candidate& candidate) {
  change.put_base(key_of(candidate.record), candidate.record);
}

void BaseFinder::remember(const Candidate& candidate) {
  index_.insert(store::number(key_of(candidate.record)), candidate.sketch);
}

void BaseFinder::forget(tree::Change& change, store::BlobId blob) {
  if (index_.erase(store::number(blob))) change.erase_base(blob);
}

}  // namespace weightfs::file
