// The plane kernels for AVX2 and BMI2. Compiled with these instructions; called only where the CPU
// has them.
#include <immintrin.h>

#include "byte_shuffles.h"
#include "planes_bmi2.h"
#include "planes_scalar.h"
#include "planes_split.h"

namespace weightfs::codec {
namespace {

__m256i load32(const std::byte* source) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(source)));
}
void store32(std::byte* target, __m256i bytes) {
  _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(target)), bytes);
}
__m256i all_bytes(std::uint8_t value) {
  return _mm256_set1_epi8(static_cast<char>(value));
}

// One bit for each byte of 64 that is equal to `value`.
std::uint64_t equal_bytes(__m256i first, __m256i second, __m256i value) {
  const auto low =
      static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(first, value)));
  const auto high =
      static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(second, value)));
  return low | std::uint64_t{high} << 32;
}

std::byte* reduce(const std::byte* symbols, std::size_t count, const std::uint8_t* coded,
                  std::byte* codes, std::byte* next) {
  const __m256i first = all_bytes(coded[0]);
  const __m256i second = all_bytes(coded[1]);
  const __m256i third = all_bytes(coded[2]);
  for (std::size_t i = 0; i < count; i += 64, codes += 16) {
    const __m256i a = load32(symbols + i);
    const __m256i b = load32(symbols + i + 32);
    const std::uint64_t is_first = equal_bytes(a, b, first);
    const std::uint64_t is_second = equal_bytes(a, b, second) & ~is_first;
    const std::uint64_t is_third = equal_bytes(a, b, third) & ~(is_first | is_second);
    const std::uint64_t low = ~(is_first | is_third);
    const std::uint64_t high = ~(is_first | is_second);
    std::memcpy(codes, &low, sizeof low);
    std::memcpy(codes + 8, &high, sizeof high);
    const std::uint64_t kept = low & high;
    for (unsigned j = 0; j < 64; j += 8) {
      next = pack_8_bytes(symbols + i + j, static_cast<unsigned>(kept >> j & 0xFF), next);
    }
  }
  return next;
}

// Bytes of ones where bits are set, of the lowest 32.
__m256i spread_bits(std::uint32_t bits) {
  const __m256i byte_of =
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit_of = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ULL));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), byte_of);
  return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit_of), bit_of);
}

const std::byte* expand(const std::byte* codes, std::size_t count, const std::uint8_t* coded,
                        const std::byte* next, const std::byte* next_end, std::byte* symbols) {
  const __m256i first = all_bytes(coded[0]);
  const __m256i second = all_bytes(coded[1]);
  const __m256i third = all_bytes(coded[2]);
  for (std::size_t i = 0; i < count && next <= next_end; i += 64, codes += 16) {
    std::uint64_t low;
    std::uint64_t high;
    std::memcpy(&low, codes, sizeof low);
    std::memcpy(&high, codes + 8, sizeof high);
    const std::uint64_t taken = low & high;
    alignas(32) std::byte stored[64];
    for (unsigned j = 0; j < 64; j += 8) {
      next = unpack_8_bytes(static_cast<unsigned>(taken >> j & 0xFF), next, stored + j);
    }
    for (unsigned half = 0; half < 2; ++half) {
      const __m256i is_low = spread_bits(static_cast<std::uint32_t>(low >> (32 * half)));
      const __m256i is_high = spread_bits(static_cast<std::uint32_t>(high >> (32 * half)));
      const __m256i by_low = _mm256_blendv_epi8(first, second, is_low);
      const __m256i if_high = _mm256_blendv_epi8(third, load32(stored + 32 * half), is_low);
      store32(symbols + i + 32 * half, _mm256_blendv_epi8(by_low, if_high, is_high));
    }
  }
  return next;
}

}  // namespace

const PlaneKernels kPlanesAvx2 = {
    .split = {Bf16::split, F16::split, F32::split, F64::split, F8E4M3::split, F8E5M2::split,
              Bf16Fine::split, F32Fine::split},
    .merge = {Bf16::merge, F16::merge, F32::merge, F64::merge, F8E4M3::merge, F8E5M2::merge,
              Bf16Fine::merge, F32Fine::merge},
    .scan = scan,
    .pack = pack_words,
    .unpack = unpack_words,
    .reduce = reduce,
    .expand = expand,
    .keep_nonzero = {keep_nonzero<std::uint8_t>, keep_nonzero<std::uint16_t>,
                     keep_nonzero<std::uint32_t>, keep_nonzero<std::uint64_t>},
    .spread_nonzero = {spread_nonzero<std::uint8_t>, spread_nonzero<std::uint16_t>,
                       spread_nonzero<std::uint32_t>, spread_nonzero<std::uint64_t>},
    .sum_groups = sum_groups,
};

}  // namespace weightfs::codec
