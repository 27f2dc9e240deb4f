// Elements of any numeric dtype as doubles.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::ops {

// Whether elements of `dtype` are numbers that fill whole bytes. (Of complex numbers, each part is
// one.)
bool is_decodable(Dtype dtype);
// Bytes of one number: 4 for f32 and for each part of a c64.
std::size_t number_bytes(Dtype dtype);

// The numbers in `bytes`, whose size is a multiple of number_bytes(). 64-bit integers are rounded
// to double. `big_endian`: the bytes of each number are in that order.
void decode_numbers(Dtype dtype, bool big_endian, ByteSpan bytes, std::vector<double>& numbers);

// Where the exponent lies in a float's bits.
struct ExponentField {
  unsigned shift = 0;
  unsigned width = 0;  // 0: the dtype has none
};
ExponentField exponent_field(Dtype dtype);
// The bits of the number at `source`, of `size_bytes` bytes, in native order.
std::uint64_t number_bits(const std::byte* source, std::size_t size_bytes, bool big_endian);

// The note that a parser leaves on tensors whose numbers are in big-endian order.
bool is_big_endian(const Tensor& tensor);

}  // namespace weightfs::ops
