#include "weightfs/chunk/fastcdc.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace weightfs::chunk {
namespace {

// splitmix64 (Steele et al., OOPSLA 2014), seeded with 0: random enough for a gear table.
constexpr std::array<std::uint64_t, 256> make_gear_table() {
  std::array<std::uint64_t, 256> table{};
  std::uint64_t state = 0;
  for (std::uint64_t& entry : table) {
    state += 0x9E3779B97F4A7C15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    entry = mixed ^ (mixed >> 31);
  }
  return table;
}

constexpr std::array<std::uint64_t, 256> kGear = make_gear_table();

// 18 bits before the average length and 14 after it (normalisation level 2), taken from the top,
// where a gear hash has mixed the most bytes.
constexpr std::uint64_t kMaskBeforeAverage = ~std::uint64_t{0} << (64 - 18);
constexpr std::uint64_t kMaskAfterAverage = ~std::uint64_t{0} << (64 - 14);

// The position behind the first byte in [begin, end) at which the hash has no bit in `mask`; 0 for
// none.
std::size_t find_cut(ByteSpan bytes, std::size_t begin, std::size_t end, std::uint64_t mask,
                     std::uint64_t& hash) {
  for (std::size_t i = begin; i < end; ++i) {
    hash = (hash << 1) + kGear[std::to_integer<std::size_t>(bytes[i])];
    if ((hash & mask) == 0) return i + 1;
  }
  return 0;
}

}  // namespace

std::size_t first_piece_bytes(ByteSpan bytes) {
  if (bytes.size() <= kMinimumPieceBytes) return bytes.size();
  const std::size_t limit = std::min(bytes.size(), kMaximumPieceBytes);
  const std::size_t average = std::min(limit, kAveragePieceBytes);
  std::uint64_t hash = 0;
  if (const std::size_t cut =
          find_cut(bytes, kMinimumPieceBytes, average, kMaskBeforeAverage, hash)) {
    return cut;
  }
  if (const std::size_t cut = find_cut(bytes, average, limit, kMaskAfterAverage, hash)) return cut;
  return limit;
}

}  // namespace weightfs::chunk
