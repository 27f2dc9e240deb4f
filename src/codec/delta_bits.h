// A stream of bits of any width, low ones first, for the inner loops of deltas: nothing is checked
// here, and nothing of the standard library used but memcpy (rans_kernels.h says why).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weightfs::codec {

// Appends to a stream of which `count` bits are written; may write 8 bytes past the last. What is
// behind the last bit in its byte is zero.
class BitSink {
 public:
  [[gnu::always_inline]] BitSink(std::byte* bits, std::uint64_t count)
      : bits_(bits), at_(bits + count / 8), used_(count % 8) {
    if (used_ != 0) pending_ = static_cast<std::uint64_t>(*at_) & ((1U << used_) - 1);
  }
  // The `count` (at most 64) low bits of `value`, which has no others.
  [[gnu::always_inline]] void put(std::uint64_t value, std::uint64_t count) {
    pending_ |= value << used_;
    std::memcpy(at_, &pending_, sizeof pending_);
    const std::uint64_t carried = (value >> 1) >> (63 - used_);
    used_ += count;
    const std::uint64_t is_full = used_ / 64;
    at_ += 8 * is_full;
    // No CPU could foresee a branch.
    pending_ ^= (pending_ ^ carried) & (0 - is_full);
    used_ %= 64;
  }
  // Writes what is pending, and returns the number of bits in the stream.
  [[gnu::always_inline]] std::uint64_t finish() const {
    std::memcpy(at_, &pending_, sizeof pending_);
    return static_cast<std::uint64_t>(at_ - bits_) * 8 + used_;
  }

 private:
  std::byte* bits_;
  std::byte* at_;
  std::uint64_t pending_ = 0;
  std::uint64_t used_;
};

// 64 bits from `position` on, which moves by `count` (at most 64); reads 16 bytes from the word on
// in which the first lies. Shifts are written as the CPU takes them, modulo 64.
[[gnu::always_inline]] inline std::uint64_t take_bits(const std::byte* bits,
                                                      std::uint64_t& position,
                                                      std::uint64_t count) {
  std::uint64_t words[2];
  std::memcpy(words, bits + position / 64 * 8, sizeof words);
  const std::uint64_t low = words[0] >> (position % 64);
  const std::uint64_t high = (words[1] << 1) << (~position % 64);
  position += count;
  return low | high;
}

}  // namespace weightfs::codec
