#include "adversarial_floats.h"

#include <bit>
#include <cmath>

namespace weightfs::codec::testing {
namespace {

// An element's bits, as an IEEE-like float of so many exponent and mantissa bits.
struct FloatShape {
  unsigned bytes;
  unsigned mantissa_bits;
  unsigned exponent_bits;
};

FloatShape shape_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::bf16:
    case Dtype::guessed_16:
      return {2, 7, 8};
    case Dtype::f16:
      return {2, 10, 5};
    case Dtype::f32:
    case Dtype::c64:
    case Dtype::guessed_32:
      return {4, 23, 8};
    case Dtype::f64:
    case Dtype::c128:
      return {8, 52, 11};
    case Dtype::f8_e4m3:
    case Dtype::f8_e4m3fnuz:
      return {1, 3, 4};
    default:
      return {1, 2, 5};
  }
}

// The double nearest below in magnitude, in the shape; tiny values become zero.
std::uint64_t encode(double value, const FloatShape& shape) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t sign = bits >> 63 << (shape.mantissa_bits + shape.exponent_bits);
  const int bias = (1 << (shape.exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> 52 & 0x7FF) - 1023 + bias;
  if (exponent <= 0) return sign;
  const std::uint64_t mantissa =
      (bits & ((std::uint64_t{1} << 52) - 1)) >> (52 - shape.mantissa_bits);
  return sign | static_cast<std::uint64_t>(exponent) << shape.mantissa_bits | mantissa;
}

class Elements {
 public:
  Elements(Pattern pattern, const FloatShape& shape) : pattern_(pattern), shape_(shape) {}

  std::uint64_t next() {
    const std::uint64_t drawn = random_();
    const std::uint64_t gaussian = encode(0.02 * normal_(random_), shape_);
    const std::size_t i = count_++;
    switch (pattern_) {
      case Pattern::random:
        return drawn;
      case Pattern::constant:
        return encode(-0.625, shape_);
      case Pattern::alternating:
        return encode(i % 2 == 0 ? 1.5 : -1.5, shape_);
      case Pattern::special:
        return special(drawn);
      case Pattern::gaussian:
        return gaussian;
      case Pattern::rows:
        return encode(std::ldexp(normal_(random_), static_cast<int>(i / 512 % 7) - 9), shape_);
      case Pattern::positive:
        return encode(std::fabs(0.02 * normal_(random_)), shape_);
      case Pattern::sparse:
        return drawn % 3 == 0 ? gaussian : 0;
      case Pattern::truncated:
        return gaussian >> (shape_.mantissa_bits / 2) << (shape_.mantissa_bits / 2);
      case Pattern::lonely:
        return i == 77 ? encode(3.0, shape_) : 0;
      case Pattern::periodic:
        return encode(static_cast<double>(1 + i % 23), shape_);
    }
    return 0;
  }

 private:
  std::uint64_t special(std::uint64_t drawn) const {
    const std::uint64_t sign = (drawn & 1) << (shape_.mantissa_bits + shape_.exponent_bits);
    const std::uint64_t mantissa_mask = (std::uint64_t{1} << shape_.mantissa_bits) - 1;
    const std::uint64_t infinity = ((std::uint64_t{1} << shape_.exponent_bits) - 1)
                                   << shape_.mantissa_bits;
    const std::uint64_t mantissa = drawn >> 8 & mantissa_mask;
    switch (drawn >> 1 & 3) {
      case 0:
        return sign;  // a zero
      case 1:
        return sign | infinity;
      case 2:
        return sign | mantissa;  // a denormal
      default:
        return sign | infinity | mantissa;
    }
  }

  Pattern pattern_;
  FloatShape shape_;
  std::mt19937_64 random_{42};
  std::normal_distribution<double> normal_;
  std::size_t count_ = 0;
};

}  // namespace

ByteVector make_block(Pattern pattern, Dtype dtype, std::size_t size) {
  const FloatShape shape = shape_of(dtype);
  Elements elements(pattern, shape);
  ByteVector block(size);
  for (std::size_t at = 0; at < size; at += shape.bytes) {
    const std::uint64_t element = elements.next();
    std::memcpy(block.data() + at, &element, std::min<std::size_t>(shape.bytes, size - at));
  }
  return block;
}

}  // namespace weightfs::codec::testing
