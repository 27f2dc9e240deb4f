#include "tensor_values.h"

#include <bit>
#include <cmath>
#include <limits>

namespace weightfs::ops {
namespace {

// A float of any small format, by its fields (OCP 8-bit floating point, IEEE 754 half, bfloat16).
struct FloatFormat {
  unsigned mantissa_bits;
  unsigned exponent_bits;
  int bias;
  bool has_infinity;          // the greatest exponent means infinity and NaN, as in IEEE 754
  bool nan_is_negative_zero;  // the fnuz formats: the only NaN, and no negative zero
};

constexpr FloatFormat kHalf{10, 5, 15, true, false};
constexpr FloatFormat kE4m3{3, 4, 7, false, false};
constexpr FloatFormat kE5m2{2, 5, 15, true, false};
constexpr FloatFormat kE4m3fnuz{3, 4, 8, false, true};
constexpr FloatFormat kE5m2fnuz{2, 5, 16, false, true};

double decode_float(std::uint64_t bits, const FloatFormat& format) {
  const unsigned sign_shift = format.mantissa_bits + format.exponent_bits;
  const std::uint64_t mantissa = bits & ((1U << format.mantissa_bits) - 1);
  const std::uint64_t greatest = (1U << format.exponent_bits) - 1;
  const std::uint64_t exponent = (bits >> format.mantissa_bits) & greatest;
  const bool negative = ((bits >> sign_shift) & 1U) != 0;
  const double sign = negative ? -1.0 : 1.0;
  if (format.nan_is_negative_zero && negative && exponent == 0 && mantissa == 0)
    return std::nan("");
  if (format.has_infinity && exponent == greatest) {
    return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  }
  // e4m3 has no infinity, and one NaN: all ones.
  const bool all_ones = exponent == greatest && mantissa == (1U << format.mantissa_bits) - 1;
  if (!format.has_infinity && !format.nan_is_negative_zero && all_ones) return std::nan("");
  const int scale = (exponent == 0 ? 1 : static_cast<int>(exponent)) - format.bias -
                    static_cast<int>(format.mantissa_bits);
  const std::uint64_t significand =
      exponent == 0 ? mantissa : mantissa | (std::uint64_t{1} << format.mantissa_bits);
  return sign * std::ldexp(static_cast<double>(significand), scale);
}

double decode_number(Dtype dtype, std::uint64_t bits) {
  switch (dtype) {
    case Dtype::f64:
    case Dtype::c128:
      return std::bit_cast<double>(bits);
    case Dtype::f32:
    case Dtype::c64:
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    case Dtype::bf16:
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits << 16));
    case Dtype::f16:
      return decode_float(bits, kHalf);
    case Dtype::f8_e4m3:
      return decode_float(bits, kE4m3);
    case Dtype::f8_e5m2:
      return decode_float(bits, kE5m2);
    case Dtype::f8_e4m3fnuz:
      return decode_float(bits, kE4m3fnuz);
    case Dtype::f8_e5m2fnuz:
      return decode_float(bits, kE5m2fnuz);
    case Dtype::f8_e8m0:
      return bits == 0xff ? std::nan("") : std::ldexp(1.0, static_cast<int>(bits) - 127);
    case Dtype::i64:
      return static_cast<double>(static_cast<std::int64_t>(bits));
    case Dtype::i32:
    case Dtype::qint32:
      return static_cast<std::int32_t>(bits);
    case Dtype::i16:
      return static_cast<std::int16_t>(bits);
    case Dtype::i8:
    case Dtype::qint8:
      return static_cast<std::int8_t>(bits);
    default:
      return static_cast<double>(bits);
  }
}

template <class T>
std::uint64_t bits_at(const std::byte* source, bool big_endian) {
  const T value = load_unaligned<T>(source);
  return big_endian ? byte_swap(value) : value;
}

}  // namespace

std::size_t number_bytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
    case Dtype::c128:
    case Dtype::i64:
    case Dtype::u64:
      return 8;
    case Dtype::f32:
    case Dtype::c64:
    case Dtype::i32:
    case Dtype::u32:
    case Dtype::qint32:
      return 4;
    case Dtype::f16:
    case Dtype::bf16:
    case Dtype::i16:
    case Dtype::u16:
      return 2;
    case Dtype::f8_e4m3:
    case Dtype::f8_e5m2:
    case Dtype::f8_e8m0:
    case Dtype::f8_e4m3fnuz:
    case Dtype::f8_e5m2fnuz:
    case Dtype::i8:
    case Dtype::u8:
    case Dtype::qint8:
    case Dtype::quint8:
    case Dtype::boolean:
      return 1;
    default:
      return 0;
  }
}

bool is_decodable(Dtype dtype) {
  return number_bytes(dtype) != 0;
}

std::uint64_t number_bits(const std::byte* source, std::size_t size_bytes, bool big_endian) {
  switch (size_bytes) {
    case 8:
      return bits_at<std::uint64_t>(source, big_endian);
    case 4:
      return bits_at<std::uint32_t>(source, big_endian);
    case 2:
      return bits_at<std::uint16_t>(source, big_endian);
    default:
      return bits_at<std::uint8_t>(source, false);
  }
}

void decode_numbers(Dtype dtype, bool big_endian, ByteSpan bytes, std::vector<double>& numbers) {
  const std::size_t size = number_bytes(dtype);
  numbers.resize(bytes.size() / size);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = decode_number(dtype, number_bits(bytes.data() + i * size, size, big_endian));
  }
}

ExponentField exponent_field(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
    case Dtype::c128:
      return {52, 11};
    case Dtype::f32:
    case Dtype::c64:
      return {23, 8};
    case Dtype::bf16:
      return {7, 8};
    case Dtype::f16:
      return {10, 5};
    case Dtype::f8_e4m3:
    case Dtype::f8_e4m3fnuz:
      return {3, 4};
    case Dtype::f8_e5m2:
    case Dtype::f8_e5m2fnuz:
      return {2, 5};
    case Dtype::f8_e8m0:
      return {0, 8};
    default:
      return {};
  }
}

bool is_big_endian(const Tensor& tensor) {
  return tensor.note.find("big-endian") != std::string::npos;
}

}  // namespace weightfs::ops
