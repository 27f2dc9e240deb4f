// Bytes as planes of their bits, and back, for kernels of deltas whose instructions have nothing
// better than a test of one bit of each byte (`Cpu` as in delta_layout.h).
#pragma once

#include "delta_kernels.h"
#include "vectors.h"

namespace weightfs::codec {
namespace {

[[gnu::always_inline]] inline void list_places(std::uint64_t places, std::size_t value_bytes,
                                               std::uint32_t first, std::uint32_t*& values) {
  for (; places != 0; places &= places - 1) {
    const auto place = static_cast<std::size_t>(__builtin_ctzll(places));
    *values++ = first + static_cast<std::uint32_t>(element_of_place(place, value_bytes));
  }
}

template <class Cpu>
struct TestedPlanes {
  Vector8 bytes;

  [[gnu::always_inline]] explicit TestedPlanes(const Vector8& x) : bytes(x) {}
  [[gnu::always_inline]] std::uint64_t of_bit(unsigned bit) const {
    return Cpu::has_bit(bytes, bit);
  }
};

template <class Cpu>
struct ComparedPlanes {
  Vector8 counts;

  [[gnu::always_inline]] explicit ComparedPlanes(const Vector8& k) : counts(k & std::uint8_t{7}) {}
  [[gnu::always_inline]] std::uint64_t of_bit(unsigned bit) const {
    return Cpu::at_least(counts, bit + 1);
  }
};

template <class Cpu>
struct SpreadPlanes {
  std::uint64_t of_bit[8];

  [[gnu::always_inline]] Vector8 as_bytes(unsigned bits) const {
    Vector8 bytes = Vector8::all(0);
#pragma GCC unroll 7
    for (unsigned bit = 0; bit < 7; ++bit) {
      if (bit == bits) break;
      bytes = bytes | Cpu::spread(of_bit[bit], 1U << bit);
    }
    return bytes;
  }
};

}  // namespace
}  // namespace weightfs::codec
