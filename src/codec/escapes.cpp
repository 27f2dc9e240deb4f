#include "escapes.h"

#include <array>
#include <numeric>

#include "rans_kernels.h"
#include "rans_table.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kMaxRanked = 15;
constexpr unsigned kLiteral = 15;

class NibbleWriter {
 public:
  explicit NibbleWriter(StreamWriter& out) : out_(out) {}
  void put(unsigned nibble) {
    if (half_) {
      out_.u8(static_cast<std::uint8_t>(pending_ | (nibble << 4)));
    } else {
      pending_ = nibble;
    }
    half_ = !half_;
  }
  void finish() {
    if (half_) out_.u8(static_cast<std::uint8_t>(pending_));
  }

 private:
  StreamWriter& out_;
  unsigned pending_ = 0;
  bool half_ = false;
};

// Reads zeros past the end, and remembers that it did.
class NibbleReader {
 public:
  explicit NibbleReader(ByteSpan bytes) : bytes_(bytes) {}
  unsigned get() {
    const std::size_t at = position_++ / 2;
    if (at >= bytes_.size()) return 0;
    const auto byte = std::to_integer<unsigned>(bytes_[at]);
    return position_ % 2 != 0 ? byte & 15 : byte >> 4;
  }
  std::size_t bytes_read() const { return (position_ + 1) / 2; }

 private:
  ByteSpan bytes_;
  std::size_t position_ = 0;
};

struct Ranking {
  std::array<std::uint8_t, kMaxRanked> values{};
  std::size_t size = 0;
  std::array<std::uint8_t, 256> rank_of{};
};

Ranking rank(ByteSpan escapes) {
  Histogram counts{};
  add_to_histogram(escapes, counts);
  std::array<std::uint8_t, 256> order{};
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  std::partial_sort(order.begin(), order.begin() + kMaxRanked, order.end(),
                    [&](std::uint8_t a, std::uint8_t b) {
                      return counts[a] != counts[b] ? counts[a] > counts[b] : a < b;
                    });
  Ranking ranking;
  ranking.rank_of.fill(kLiteral);
  // A ranked value that comes once takes a byte in the list: no more than its literal would.
  while (ranking.size < kMaxRanked && counts[order[ranking.size]] > 0) {
    ranking.rank_of[order[ranking.size]] = static_cast<std::uint8_t>(ranking.size);
    ranking.values[ranking.size] = order[ranking.size];
    ++ranking.size;
  }
  return ranking;
}

}  // namespace

void write_escapes(ByteSpan escapes, StreamWriter& out) {
  out.varint(escapes.size());
  if (escapes.empty()) return;
  const Ranking ranking = rank(escapes);
  out.u8(static_cast<std::uint8_t>(ranking.size));
  out.append(bytes_of_elements(std::span(ranking.values).first(ranking.size)));
  NibbleWriter nibbles(out);
  for (const std::byte escape : escapes) {
    const auto value = std::to_integer<unsigned>(escape);
    nibbles.put(ranking.rank_of[value]);
    if (ranking.rank_of[value] != kLiteral) continue;
    nibbles.put(value & 15);
    nibbles.put(value >> 4);
  }
  nibbles.finish();
}

Result<ByteSpan> read_escapes(ByteReader& in, std::size_t limit, ScratchBuffer& target) {
  const std::uint64_t count = in.varint();
  if (in.failed() || count > limit) return fail(Code::corrupt, "too many escapes");
  const MutableByteSpan padded = target.get(count + kRansReadAhead);
  std::fill(padded.end() - kRansReadAhead, padded.end(), std::byte{0});
  const MutableByteSpan escapes = padded.first(count);
  if (count == 0) return ByteSpan(escapes);
  const std::size_t ranked = in.u8();
  const ByteSpan values = in.bytes(ranked);
  if (in.failed() || ranked > kMaxRanked) return fail(Code::corrupt, "damaged escapes");
  NibbleReader nibbles(ByteReader(in).rest());
  for (std::byte& escape : escapes) {
    const unsigned rank = nibbles.get();
    if (rank == kLiteral) {
      const unsigned low = nibbles.get();
      escape = static_cast<std::byte>(low | (nibbles.get() << 4));
    } else if (rank < ranked) {
      escape = values[rank];
    } else {
      return fail(Code::corrupt, "damaged escapes");
    }
  }
  in.skip(nibbles.bytes_read());
  if (in.failed()) return fail(Code::corrupt, "the escapes are cut short");
  return ByteSpan(escapes);
}

}  // namespace weightfs::codec
