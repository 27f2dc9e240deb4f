// The kernels of ggml's quantizations for AVX2. Compiled with these instructions; called only where
// the CPU has them.
#include <immintrin.h>

#include "ggml_blocks.h"

namespace weightfs::codec {
namespace {

struct Avx2 {
  [[gnu::always_inline]] static std::int32_t largest(const Ints& x) {
    const __m256i lanes = (__m256i)x;
    __m128i most = _mm_max_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0x4E));
    most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0xB1));
    return _mm_cvtsi128_si32(most);
  }
  [[gnu::always_inline]] static std::uint32_t negative_lanes(const Ints& x) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps((__m256)x));
  }
  [[gnu::always_inline]] static std::uint32_t equal_lanes(const Ints& x, std::int32_t wanted) {
    return negative_lanes(x == wanted);
  }
  [[gnu::always_inline]] static void widen_halves(const std::byte* values, Floats& loaded) {
    widen_halves_by_bits(values, loaded);
  }
  [[gnu::always_inline]] static __m128 codes_of_half(__m128 values, __m256d factor) {
    const __m256d product = _mm256_mul_pd(_mm256_cvtps_pd(values), factor);
    return _mm256_cvtpd_ps(_mm256_add_pd(product, _mm256_set1_pd(8.5)));
  }
  [[gnu::always_inline]] static Floats codes_of_4_bits(const Floats& values, float factor) {
    const auto lanes = (__m256)values;
    const __m256d factors = _mm256_set1_pd(static_cast<double>(factor));
    return (Floats)_mm256_set_m128(codes_of_half(_mm256_extractf128_ps(lanes, 1), factors),
                                   codes_of_half(_mm256_castps256_ps128(lanes), factors));
  }
  [[gnu::always_inline]] static void put_bytes(const Ints& x, std::byte* to) {
    const __m256i low_bytes = _mm256_set1_epi32(0x0C080400);
    const __m256i packed = _mm256_shuffle_epi8((__m256i)x, low_bytes);
    const std::int32_t low = _mm_cvtsi128_si32(_mm256_castsi256_si128(packed));
    const std::int32_t high = _mm_cvtsi128_si32(_mm256_extracti128_si256(packed, 1));
    std::memcpy(to, &low, sizeof low);
    std::memcpy(to + sizeof low, &high, sizeof high);
  }
};

}  // namespace

const GgmlKernels kGgmlAvx2 = ggml_kernels_of<Avx2>();

}  // namespace weightfs::codec
