// What tells the rows of a tensor apart, and stays the same for most of them while training moves
// their values: the signs of a row's first 64 elements, or its bytes where all are of one sign.
//
// So a tensor finds its rows in a relative that is stored whole, and with them the cuts of all
// relatives of that shape, among which may be the one whose rows it has exactly.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::file {

// The signature of one row of floats; never kUnknownRow.
std::uint64_t row_signature(ByteSpan row, Dtype dtype);

// Rows of one tensor, wherever it is. A value; as thread-safe as `read`.
struct Rows {
  Dtype dtype = Dtype::opaque;
  std::uint64_t row_bytes = 0;
  std::uint64_t count = 0;
  std::function<Status(std::uint64_t offset_bytes, MutableByteSpan out)> read;

  // kUnknownRow for a row that can't be read.
  std::uint64_t signature(std::uint64_t row) const;
  std::vector<std::uint64_t> signatures() const;
};

// Whether sampled rows of the base stand where they would if rows only came, or only went: shifted
// by nothing, by the difference, or between.
bool look_related(const Rows& rows, const Rows& base);

}  // namespace weightfs::file
