#include "tensor_tracker.h"

#include <algorithm>
#include <utility>

#include "weightfs/codec/derivation.h"
#include "weightfs/hash/content_id.h"

namespace weightfs::file {

namespace {

bool may_have_base(Dtype dtype) {
  return is_float(dtype) || codec::is_derivable_quantization(dtype);
}

}  // namespace

bool TensorTracker::begin_file(const Layout& layout) {
  tensors_.clear();
  under_way_.clear();
  plan_.clear();
  search_.reset();
  for (const Tensor& tensor : layout.tensors) tensors_.try_emplace(tensor.offset_bytes, &tensor);
  return std::ranges::any_of(layout.extents,
                             [](const Extent& extent) { return may_have_base(extent.dtype); });
}

const Tensor* TensorTracker::tensor_at(std::uint64_t offset_bytes) const {
  const auto named = tensors_.find(offset_bytes);
  return named == tensors_.end() ? nullptr : named->second;
}

std::vector<std::uint64_t> TensorTracker::cuts_of(std::size_t extent_index, const Extent& extent,
                                                  const ByteSource& source,
                                                  const KnownCuts& known) {
  planned_extent_ = extent_index;
  search_.reset();
  plan_ = plan(extent, source, known);
  std::vector<std::uint64_t> cuts;
  cuts.reserve(plan_.size());
  for (const PlannedPiece& piece : plan_) cuts.push_back(extent.offset_bytes + piece.end_bytes);
  return cuts;
}

std::vector<PlannedPiece> TensorTracker::plan(const Extent& extent, const ByteSource& source,
                                              const KnownCuts& known) {
  if (!may_have_base(extent.dtype)) return {};
  plan_dtype_ = extent.dtype;
  const Tensor* tensor = tensor_at(extent.offset_bytes);
  if (tensor != nullptr && is_float(extent.dtype)) {
    auto resized = plan_resized_tensor(finder_, extent, *tensor, source, known.is_stored);
    if (!resized.empty()) return resized;
  }
  if (known.is_taken_over) return {};
  search_ = search(extent, source);
  if (!search_->base || search_->base->dtype == extent.dtype) return {};
  plan_dtype_ = search_->base->dtype;
  const BaseTensor base = *std::exchange(search_->base, std::nullopt);
  ByteVector first(
      static_cast<std::size_t>(std::min(chunk::tensor_block_bytes(extent), extent.length_bytes)));
  if (!source.read_at(extent.offset_bytes, first)) return {};
  if (known.is_stored(content_id(first))) return {};  // it is there, cut as most are
  return pieces_of_source(base, extent);
}

TensorTracker::Search TensorTracker::search(const Extent& extent, const ByteSource& source) const {
  Search result;
  result.sketch = finder_.sketch(extent, tensor_at(extent.offset_bytes), source);
  if (!result.sketch) return result;
  result.base =
      finder_.find(*result.sketch, extent, chunk::tensor_block_bytes(extent), source, tier_);
  return result;
}

BlockBase TensorTracker::planned_base_of(const chunk::Block& block, const Extent& extent) const {
  const std::uint64_t end_bytes = block.offset_bytes + block.length_bytes - extent.offset_bytes;
  const auto piece = std::ranges::lower_bound(plan_, end_bytes, {}, &PlannedPiece::end_bytes);
  if (piece == plan_.end() || piece->end_bytes != end_bytes) return {};
  return {.blob = piece->base, .dtype = plan_dtype_, .offset_bytes = piece->base_offset_bytes};
}

TensorTracker::Progress* TensorTracker::begin(const chunk::Block& block, const Extent& extent,
                                              const ByteSource& source) {
  if (block.offset_bytes != extent.offset_bytes) return nullptr;  // it began with a known block
  const bool searched = search_ && block.extent_index == planned_extent_;
  Search found = searched ? std::move(*search_) : search(extent, source);
  search_.reset();
  if (!found.sketch) return nullptr;
  Progress progress;
  progress.sketch = *found.sketch;
  progress.begin_bytes = progress.noted_bytes = extent.offset_bytes;
  progress.end_bytes = extent.offset_bytes + extent.length_bytes;
  progress.block_bytes = chunk::tensor_block_bytes(extent);
  // One of another dtype would have set the cuts.
  if (found.base && found.base->dtype == extent.dtype) progress.base = std::move(found.base);
  return &under_way_.insert_or_assign(block.extent_index, std::move(progress)).first->second;
}

BlockBase TensorTracker::base_of(const chunk::Block& block, const Extent& extent,
                                 const ByteSource& source) {
  if (block.extent_index == planned_extent_ && !plan_.empty()) {
    return planned_base_of(block, extent);
  }
  if (!is_float(extent.dtype)) return {};
  const auto found = under_way_.find(block.extent_index);
  const Progress* progress =
      found != under_way_.end() ? &found->second : begin(block, extent, source);
  if (progress == nullptr || !progress->base) return {};
  const std::uint64_t index = (block.offset_bytes - progress->begin_bytes) / progress->block_bytes;
  const std::vector<store::BlobId>& blobs = progress->base->blobs;
  if (index >= blobs.size()) return {};
  return {.blob = blobs[static_cast<std::size_t>(index)], .dtype = extent.dtype};
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
