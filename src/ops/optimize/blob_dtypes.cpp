#include "blob_dtypes.h"

#include <algorithm>

namespace weightfs::ops {

Dtype BlobDtypes::of(store::BlobId id) const {
  const std::uint64_t index = store::number(id) - first_;
  return store::number(id) >= first_ && index < dtypes_.size() ? dtypes_[index] : Dtype::opaque;
}

// A block lies in one extent: it is cut at the bounds of tensors.
void BlobDtypes::add(const Layout& layout, std::uint64_t offset_bytes,
                     const std::vector<tree::RecipeEntry>& entries) {
  const auto& extents = layout.extents;
  for (const tree::RecipeEntry& entry : entries) {
    const std::uint64_t begin = offset_bytes;
    offset_bytes += entry.length_bytes;
    const std::uint64_t index = store::number(entry.blob) - first_;
    if (store::number(entry.blob) < first_ || index >= dtypes_.size()) continue;
    const auto behind = std::upper_bound(
        extents.begin(), extents.end(), begin,
        [](std::uint64_t at, const Extent& extent) { return at < extent.offset_bytes; });
    if (behind == extents.begin()) continue;
    const Dtype dtype = std::prev(behind)->dtype;
    if (dtype != Dtype::opaque) dtypes_[index] = dtype;
  }
}

Result<BlobDtypes> BlobDtypes::collect(const tree::Tree& tree, store::BlobId first,
                                       std::uint64_t count) {
  BlobDtypes dtypes(first, count);
  tree::RecipeId current = tree::RecipeId::none;
  std::optional<tree::RecipeHeader> header;
  std::optional<Layout> layout;
  WEIGHTFS_TRY(tree.for_each_recipe_chunk(
      [&](tree::RecipeId id, std::uint64_t chunk, const std::vector<tree::RecipeEntry>& entries) {
        if (id != std::exchange(current, id)) {
          header = tree.recipe(id).value_or(std::nullopt);
          layout = tree.layout(id).value_or(std::nullopt);
        }
        if (header && layout && chunk < header->chunk_begin_bytes.size()) {
          dtypes.add(*layout, header->chunk_begin_bytes[chunk], entries);
        }
        return true;
      }));
  return dtypes;
}

}  // namespace weightfs::ops
