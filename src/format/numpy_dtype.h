// NumPy's element type strings: "<f4", "|b1", "float32".
// https://numpy.org/doc/stable/reference/arrays.dtypes.html and arrays.interface.html.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "weightfs/tensor/dtype.h"

namespace weightfs::format {

struct NumpyDtype {
  Dtype dtype = Dtype::opaque;  // opaque for records and dates, string for text
  std::uint64_t item_bytes = 1;
  bool is_big_endian = false;
  bool is_object = false;  // elements are pickled
};

// Nothing for a string that is no dtype.
std::optional<NumpyDtype> parse_numpy_dtype(std::string_view text);

}  // namespace weightfs::format
