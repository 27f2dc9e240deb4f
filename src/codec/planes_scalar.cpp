// The plane kernels in plain C++, the reference for all others.
#include "planes_scalar.h"

#include "planes_split.h"

namespace weightfs::codec {
namespace {

// The bits of `mask` of a byte moved to the bottom, and back.
std::uint64_t gather_bits(unsigned value, unsigned mask) {
  unsigned gathered = 0;
  for (unsigned bit = 0, to = 0; bit < 8; ++bit) {
    if ((mask >> bit & 1) != 0) gathered |= (value >> bit & 1) << to++;
  }
  return gathered;
}
std::uint8_t scatter_bits(unsigned value, unsigned mask) {
  unsigned scattered = 0;
  for (unsigned bit = 0, from = 0; bit < 8; ++bit) {
    if ((mask >> bit & 1) != 0) scattered |= (value >> from++ & 1) << bit;
  }
  return static_cast<std::uint8_t>(scattered);
}

void pack(const std::byte* plane, std::size_t count, std::uint8_t mask, std::byte* packed) {
  const auto width = static_cast<unsigned>(__builtin_popcount(mask));
  std::uint64_t gathered[256];
  for (unsigned value = 0; value < 256; ++value) gathered[value] = gather_bits(value, mask);
  for (std::size_t i = 0; i < count; i += 8, packed += width) {
    std::uint64_t word = 0;
    for (unsigned j = 0; j < 8; ++j) {
      word |= gathered[static_cast<unsigned>(plane[i + j])] << (j * width);
    }
    std::memcpy(packed, &word, sizeof word);
  }
}

void unpack(const std::byte* packed, std::size_t count, std::uint8_t mask, std::uint8_t fixed,
            std::byte* plane) {
  const auto width = static_cast<unsigned>(__builtin_popcount(mask));
  std::uint8_t scattered[256];
  for (unsigned value = 0; value < 1U << width; ++value) {
    scattered[value] = static_cast<std::uint8_t>(scatter_bits(value, mask) | fixed);
  }
  for (std::size_t i = 0; i < count; i += 8, packed += width) {
    std::uint64_t word = 0;
    std::memcpy(&word, packed, sizeof word);
    for (unsigned j = 0; j < 8; ++j) {
      plane[i + j] = std::byte{scattered[word >> (j * width) & ((1U << width) - 1)]};
    }
  }
}

std::byte* reduce(const std::byte* symbols, std::size_t count, const std::uint8_t* coded,
                  std::byte* codes, std::byte* next) {
  std::uint8_t code_of[256];
  std::memset(code_of, 3, sizeof code_of);
  for (unsigned code = 3; code-- > 0;) code_of[coded[code]] = static_cast<std::uint8_t>(code);
  for (std::size_t i = 0; i < count; i += 64, codes += 16) {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    for (unsigned j = 0; j < 64; ++j) {
      const std::uint64_t code = code_of[static_cast<unsigned>(symbols[i + j])];
      low |= (code & 1) << j;
      high |= (code >> 1) << j;
      if (code == 3) *next++ = symbols[i + j];
    }
    std::memcpy(codes, &low, sizeof low);
    std::memcpy(codes + 8, &high, sizeof high);
  }
  return next;
}

const std::byte* expand(const std::byte* codes, std::size_t count, const std::uint8_t* coded,
                        const std::byte* next, const std::byte* next_end, std::byte* symbols) {
  for (std::size_t i = 0; i < count && next <= next_end; i += 64, codes += 16) {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::memcpy(&low, codes, sizeof low);
    std::memcpy(&high, codes + 8, sizeof high);
    for (unsigned j = 0; j < 64; ++j) {
      const auto code = static_cast<unsigned>((low >> j & 1) | (high >> j & 1) << 1);
      symbols[i + j] = code == 3 ? *next++ : std::byte{coded[code]};
    }
  }
  return next;
}

}  // namespace

const PlaneKernels kPlanesScalar = {
    .split = {Bf16::split, F16::split, F32::split, F64::split, F8E4M3::split, F8E5M2::split,
              Bf16Fine::split, F32Fine::split},
    .merge = {Bf16::merge, F16::merge, F32::merge, F64::merge, F8E4M3::merge, F8E5M2::merge,
              Bf16Fine::merge, F32Fine::merge},
    .scan = scan,
    .pack = pack,
    .unpack = unpack,
    .reduce = reduce,
    .expand = expand,
    .keep_nonzero = {keep_nonzero<std::uint8_t>, keep_nonzero<std::uint16_t>,
                     keep_nonzero<std::uint32_t>, keep_nonzero<std::uint64_t>},
    .spread_nonzero = {spread_nonzero<std::uint8_t>, spread_nonzero<std::uint16_t>,
                       spread_nonzero<std::uint32_t>, spread_nonzero<std::uint64_t>},
    .sum_groups = sum_groups,
};

}  // namespace weightfs::codec
