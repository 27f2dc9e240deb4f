#include "layout_builder.h"

#include <algorithm>
#include <unordered_map>

#include "bounds.h"
#include "text.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

std::string join(std::string_view file_name, std::string_view name) {
  std::string joined(file_name);
  if (joined.empty()) return std::string(name);
  if (!name.empty()) joined.append("/").append(name);
  return joined;
}

// The second tensor of a name becomes "name#2": names are how two files' tensors are matched.
void make_names_unique(std::vector<Tensor>& tensors) {
  std::unordered_map<std::string_view, std::uint64_t> counts;
  counts.reserve(tensors.size());
  std::vector<std::pair<std::size_t, std::uint64_t>> repeated;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::uint64_t count = ++counts[tensors[i].name];
    if (count > 1) repeated.emplace_back(i, count);
  }
  for (const auto& [index, count] : repeated) {
    tensors[index].name.append("#").append(std::to_string(count));
  }
}

}  // namespace

std::optional<std::uint64_t> element_count_of(const std::vector<std::uint64_t>& shape) {
  // A dimension of zero makes an empty tensor, however large the others are.
  if (std::find(shape.begin(), shape.end(), 0U) != shape.end()) return 0;
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) {
    const auto product = checked_multiply(count, dimension);
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

std::optional<std::uint64_t> tensor_bytes_of(const std::vector<std::uint64_t>& shape, Dtype dtype) {
  const auto count = element_count_of(shape);
  return count ? dtype_bytes(dtype, *count) : std::nullopt;
}

LayoutBuilder::LayoutBuilder(std::string_view format, std::uint64_t size_bytes)
    : size_bytes_(size_bytes) {
  layout_.format = format;
}

void LayoutBuilder::add_metadata(std::string_view key, std::string_view value) {
  if (layout_.metadata.size() >= kMaxMetadataEntries) return;
  layout_.metadata.emplace_back(printable(key, kMaxNameBytes),
                                printable(value, kMaxMetadataValueBytes));
}

void LayoutBuilder::add_tensor(Tensor tensor) {
  add_extent({.offset_bytes = tensor.offset_bytes,
              .length_bytes = tensor.length_bytes,
              .dtype = tensor.dtype,
              .row_bytes = row_bytes_of(tensor.shape, tensor.dtype)});
  add_view(std::move(tensor));
}

void LayoutBuilder::add_dense_tensor(Tensor tensor) {
  const auto length_bytes = tensor_bytes_of(tensor.shape, tensor.dtype);
  if (!length_bytes) {
    error_ = "the shape of tensor " + printable(tensor.name, 128) + " is too large";
    return;
  }
  tensor.length_bytes = *length_bytes;
  add_tensor(std::move(tensor));
}

void LayoutBuilder::add_view(Tensor tensor) {
  if (layout_.tensors.size() >= kMaxTensors) error_ = "too many tensors";
  if (tensor.shape.size() > kMaxDimensions) error_ = "a tensor has too many dimensions";
  if (failed()) return;
  tensor.name = printable(tensor.name, kMaxNameBytes);
  layout_.tensors.push_back(std::move(tensor));
}

void LayoutBuilder::add_extent(const Extent& extent) {
  if (layout_.extents.size() >= kMaxTensors) error_ = "too many extents";
  if (!failed() && extent.length_bytes > 0) layout_.extents.push_back(extent);
}

void LayoutBuilder::add_nested(const Layout& nested, std::uint64_t offset_bytes,
                               std::string_view file_name) {
  for (Extent extent : nested.extents) {
    extent.offset_bytes += offset_bytes;
    if (extent.dtype != Dtype::opaque) add_extent(extent);
  }
  for (Tensor tensor : nested.tensors) {
    tensor.offset_bytes += offset_bytes;
    tensor.name = join(file_name, tensor.name);
    add_view(std::move(tensor));
  }
  for (const auto& [key, value] : nested.metadata) {
    add_metadata(join(file_name, key), value);
  }
  if (!nested.opaque_reason.empty()) {
    set_opaque_reason(std::string(file_name) + ": " + nested.opaque_reason);
  }
}

void LayoutBuilder::set_opaque_reason(std::string_view reason) {
  if (layout_.opaque_reason.empty()) {
    layout_.opaque_reason = printable(reason, kMaxMetadataValueBytes);
  }
}

Result<Layout> LayoutBuilder::finish() && {
  if (failed()) return fail(Code::invalid, std::move(error_));
  make_names_unique(layout_.tensors);
  WEIGHTFS_ASSIGN(layout_.extents, cover_file(std::move(layout_.extents), size_bytes_));
  WEIGHTFS_TRY(validated(layout_, size_bytes_));
  return std::move(layout_);
}

}  // namespace weightfs::format
