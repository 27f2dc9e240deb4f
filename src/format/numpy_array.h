// An n-dimensional array of a known element type, wherever NumPy or joblib put it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "layout_builder.h"
#include "numpy_dtype.h"

namespace weightfs::format {

struct NumpyArray {
  NumpyDtype dtype;
  std::vector<std::uint64_t> shape;
  bool is_fortran_order = false;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};

// What dtype and shape ask for, or nothing if it does not fit.
std::optional<std::uint64_t> numpy_bytes_of(const NumpyDtype& dtype,
                                            const std::vector<std::uint64_t>& shape);

// The tensor that inspect shows: notes say "transposed" and "big-endian".
Tensor numpy_tensor(NumpyArray array, std::string_view name);
// Its extent: opaque where the element type is, or the bytes are swapped.
Extent numpy_extent(const NumpyArray& array);

}  // namespace weightfs::format
