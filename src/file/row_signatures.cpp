#include "row_signatures.h"

#include <algorithm>

#include "row_alignment.h"
#include "weightfs/hash/checksum.h"

namespace weightfs::file {
namespace {

constexpr std::size_t kSigns = 64;
// Fewer signs than these tell too few rows apart.
constexpr std::size_t kLeastSigns = 24;
constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::size_t kSampledRows = 16;
constexpr std::size_t kLeastEqualSamples = 2;
// Up to here every shift is tried, beyond only the least and the greatest.
constexpr std::uint64_t kMostShifts = 64;

// Whether one of the rows [begin, end) has this signature.
bool has_row(const Rows& rows, std::uint64_t begin, std::uint64_t end, std::uint64_t signature) {
  for (std::uint64_t row = begin; row < std::min(end, rows.count); ++row) {
    if (rows.signature(row) == signature) return true;
  }
  return false;
}

}  // namespace

bool look_related(const Rows& rows, const Rows& base) {
  const bool grew = rows.count > base.count;
  const std::uint64_t difference = grew ? rows.count - base.count : base.count - rows.count;
  std::size_t equal_count = 0;
  for (std::size_t i = 0; i < kSampledRows; ++i) {
    const std::uint64_t row = i * (base.count - 1) / (kSampledRows - 1);
    const std::uint64_t signature = base.signature(row);
    if (signature == kUnknownRow) continue;
    const std::uint64_t first = grew ? row : row - std::min(row, difference);
    const std::uint64_t last = grew ? row + difference : row;
    const bool found = difference <= kMostShifts ? has_row(rows, first, last + 1, signature)
                                                 : has_row(rows, first, first + 1, signature) ||
                                                       has_row(rows, last, last + 1, signature);
    if (found && ++equal_count >= kLeastEqualSamples) return true;
  }
  return false;
}

std::uint64_t row_signature(ByteSpan row, Dtype dtype) {
  const std::size_t unit_bytes = dtype_layout(dtype).unit_bytes;
  const std::size_t count = std::min(kSigns, row.size() / unit_bytes);
  std::uint64_t signs = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto top_byte = std::to_integer<std::uint64_t>(row[(i + 1) * unit_bytes - 1]);
    signs = signs << 1 | top_byte >> 7;
  }
  const std::uint64_t all = ~std::uint64_t{0} >> (kSigns - std::max<std::size_t>(count, 1));
  if (count >= kLeastSigns && signs != 0 && signs != all) return signs;
  const std::uint64_t hash = checksum(row);
  return hash == kUnknownRow ? 1 : hash;
}

std::uint64_t Rows::signature(std::uint64_t row) const {
  ByteVector bytes(static_cast<std::size_t>(row_bytes));
  return read(row * row_bytes, bytes) ? row_signature(bytes, dtype) : kUnknownRow;
}

std::vector<std::uint64_t> Rows::signatures() const {
  std::vector<std::uint64_t> signatures;
  signatures.reserve(static_cast<std::size_t>(count));
  const std::uint64_t together = std::max<std::uint64_t>(1, kReadBytes / row_bytes);
  ByteVector bytes;
  for (std::uint64_t row = 0; row < count; row += together) {
    const std::uint64_t row_count = std::min(together, count - row);
    bytes.resize(static_cast<std::size_t>(row_count * row_bytes));
    const bool known = read(row * row_bytes, bytes).has_value();
    ByteSpan rest = bytes;
    for (std::uint64_t i = 0; i < row_count; ++i) {
      const ByteSpan one = rest.first(static_cast<std::size_t>(row_bytes));
      rest = rest.subspan(one.size());
      // A block that can't be read leaves the rows in the others.
      signatures.push_back(known ? row_signature(one, dtype) : signature(row + i));
    }
  }
  return signatures;
}

}  // namespace weightfs::file
