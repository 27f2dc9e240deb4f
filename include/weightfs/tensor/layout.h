// What a file is made of: its extents, and the tensors that lie in them.
//
// Plain values, owned by whoever holds them; safe to read from several threads.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs {

// A run of bytes of one file: a tensor's payload (or a storage that several tensors view), or
// opaque bytes (headers, padding, anything that no parser knows).
struct Extent {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  Dtype dtype = Dtype::opaque;
  // Bytes of one row (the product of all dimensions but the first), where blocks had best be cut;
  // 0 where there are no rows.
  std::uint64_t row_bytes = 0;
};

// A tensor as the format names it. Views of one storage are several tensors in one extent.
struct Tensor {
  std::string name;
  Dtype dtype = Dtype::opaque;
  std::vector<std::uint64_t> shape;            // outermost first; empty for a scalar
  std::vector<std::int64_t> strides_elements;  // empty where the tensor is dense, row-major
  std::uint64_t offset_bytes = 0;              // in the file
  std::uint64_t length_bytes = 0;              // of the bytes that it spans in the file
  std::string note;  // "transposed", "big-endian", "external: NAME", "chunked", ...; empty mostly
};

// Invariants (validated() checks them): extents are sorted, don't overlap, have no gap, and cover
// [0, size) of the file; each tensor with bytes in this file lies within it.
struct Layout {
  std::string format = "opaque";
  std::vector<Extent> extents;
  std::vector<Tensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;  // what inspect shows, in order
  // Why (parts of) the file are opaque, where a parser expected more; empty otherwise.
  std::string opaque_reason;
};

// One opaque extent over the whole file.
Layout opaque_layout(std::uint64_t size_bytes, std::string reason = {});

// Sorts `extents`, fills the gaps between them up to `size_bytes` with opaque extents, and drops
// empty ones. An overlap or an extent past the end is Code::invalid.
Result<std::vector<Extent>> cover_file(std::vector<Extent> extents, std::uint64_t size_bytes);

// Checks the invariants above for a file of `size_bytes`.
Status validated(const Layout& layout, std::uint64_t size_bytes);

// Product of all dimensions but the first in bytes, for Extent::row_bytes; 0 for vectors, scalars
// and whatever does not fit.
std::uint64_t row_bytes_of(const std::vector<std::uint64_t>& shape, Dtype dtype);

// Persisted form (docs/store-format.md, "layout"): parse mirrors serialize.
ByteVector serialize_layout(const Layout& layout);
Result<Layout> parse_layout(ByteSpan bytes);

}  // namespace weightfs
