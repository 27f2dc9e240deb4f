#include "tensor_tracker.h"

#include <algorithm>

namespace weightfs::file {

bool TensorTracker::begin_file(const Layout& layout) {
  tensors_.clear();
  under_way_.clear();
  for (const Tensor& tensor : layout.tensors) tensors_.try_emplace(tensor.offset_bytes, &tensor);
  return std::ranges::any_of(layout.extents,
                             [](const Extent& extent) { return is_float(extent.dtype); });
}

TensorTracker::Progress* TensorTracker::begin(const chunk::Block& block, const Extent& extent,
                                              const ByteSource& source) {
  if (block.offset_bytes != extent.offset_bytes) return nullptr;  // it began with a known block
  const auto named = tensors_.find(extent.offset_bytes);
  const Tensor* tensor = named == tensors_.end() ? nullptr : named->second;
  const auto sketch = finder_.sketch(extent, tensor, source);
  if (!sketch) return nullptr;
  Progress progress;
  progress.sketch = *sketch;
  progress.begin_bytes = progress.noted_bytes = extent.offset_bytes;
  progress.end_bytes = extent.offset_bytes + extent.length_bytes;
  progress.block_bytes = chunk::tensor_block_bytes(extent);
  progress.base = finder_.find(*sketch, extent, progress.block_bytes, source, tier_);
  return &under_way_.insert_or_assign(block.extent_index, std::move(progress)).first->second;
}

store::BlobId TensorTracker::base_of(const chunk::Block& block, const Extent& extent,
                                     const ByteSource& source) {
  if (!is_float(extent.dtype)) return store::BlobId::none;
  const auto found = under_way_.find(block.extent_index);
  const Progress* progress =
      found != under_way_.end() ? &found->second : begin(block, extent, source);
  if (progress == nullptr || !progress->base) return store::BlobId::none;
  const std::uint64_t index = (block.offset_bytes - progress->begin_bytes) / progress->block_bytes;
  const std::vector<store::BlobId>& blobs = progress->base->blobs;
  return index < blobs.size() ? blobs[static_cast<std::size_t>(index)] : store::BlobId::none;
}

std::optional<BaseFinder::Candidate> TensorTracker::note_entry(const chunk::Block& block,
                                                               const EncodedEntry& entry) {
  const auto found = under_way_.find(block.extent_index);
  if (found == under_way_.end()) return std::nullopt;
  Progress& progress = found->second;
  if (progress.noted_bytes != block.offset_bytes) return std::nullopt;  // parts were taken over
  progress.noted_bytes += block.length_bytes;
  progress.blobs.push_back(entry.is_whole ? entry.entry.blob : store::BlobId::none);
  if (entry.is_new) ++progress.new_count;
  if (entry.is_whole) ++progress.whole_count;
  if (progress.noted_bytes != progress.end_bytes) return std::nullopt;
  const bool useful = progress.new_count > 0 && progress.whole_count * 2 >= progress.blobs.size();
  std::optional<BaseFinder::Candidate> candidate;
  if (useful && progress.whole_count > 0) {
    const ByteVector sketch = progress.sketch.serialize();
    candidate = BaseFinder::Candidate{.sketch = progress.sketch,
                                      .record = {.sketch = std::string(text_of(sketch)),
                                                 .block_bytes = progress.block_bytes,
                                                 .blobs = std::move(progress.blobs)}};
  }
  under_way_.erase(found);
  return candidate;
}

}  // namespace weightfs::file
