#include "numpy_array.h"

#include <algorithm>

#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

std::string note_of(const NumpyArray& array) {
  const bool is_transposed = array.is_fortran_order && array.shape.size() > 1;
  if (array.dtype.is_big_endian) return is_transposed ? "big-endian, transposed" : "big-endian";
  return is_transposed ? "transposed" : "";
}

// Column-major strides, in elements.
std::vector<std::int64_t> fortran_strides(const std::vector<std::uint64_t>& shape) {
  std::vector<std::int64_t> strides;
  std::uint64_t stride = 1;
  for (const std::uint64_t dimension : shape) {
    strides.push_back(static_cast<std::int64_t>(stride));
    stride *= std::max<std::uint64_t>(dimension, 1);
  }
  return strides;
}

}  // namespace

std::optional<std::uint64_t> numpy_bytes_of(const NumpyDtype& dtype,
                                            const std::vector<std::uint64_t>& shape) {
  const auto count = element_count_of(shape);
  return count ? checked_multiply(*count, dtype.item_bytes) : std::nullopt;
}

Extent numpy_extent(const NumpyArray& array) {
  const bool is_plain = !array.dtype.is_big_endian && array.dtype.dtype != Dtype::string;
  const Dtype dtype = is_plain ? array.dtype.dtype : Dtype::opaque;
  std::vector<std::uint64_t> memory_shape = array.shape;
  if (array.is_fortran_order) std::reverse(memory_shape.begin(), memory_shape.end());
  return {.offset_bytes = array.offset_bytes,
          .length_bytes = array.length_bytes,
          .dtype = dtype,
          .row_bytes = dtype == Dtype::opaque ? 0 : row_bytes_of(memory_shape, dtype)};
}

Tensor numpy_tensor(NumpyArray array, std::string_view name) {
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = array.dtype.dtype;
  tensor.note = note_of(array);
  if (array.is_fortran_order && array.shape.size() > 1) {
    tensor.strides_elements = fortran_strides(array.shape);
  }
  tensor.offset_bytes = array.offset_bytes;
  tensor.length_bytes = array.length_bytes;
  tensor.shape = std::move(array.shape);
  return tensor;
}

}  // namespace weightfs::format
