// The kernels of ggml's quantizations for AVX-512. Compiled with these instructions; called only
// where the CPU has them.
#include <immintrin.h>

#include "ggml_blocks.h"

namespace weightfs::codec {
namespace {

struct Avx512 {
  [[gnu::always_inline]] static std::int32_t largest(const Ints& x) {
    return _mm512_reduce_max_epi32((__m512i)x);
  }
  [[gnu::always_inline]] static std::uint32_t negative_lanes(const Ints& x) {
    return _mm512_movepi32_mask((__m512i)x);
  }
  [[gnu::always_inline]] static std::uint32_t equal_lanes(const Ints& x, std::int32_t wanted) {
    return _mm512_cmpeq_epi32_mask((__m512i)x, _mm512_set1_epi32(wanted));
  }
  [[gnu::always_inline]] static void widen_halves(const std::byte* values, Floats& loaded) {
    __m256i halves;
    std::memcpy(&halves, values, sizeof halves);
    loaded = (Floats)_mm512_cvtph_ps(halves);
  }
  [[gnu::always_inline]] static __m256 codes_of_half(__m256 values, __m512d factor) {
    const __m512d product = _mm512_mul_pd(_mm512_cvtps_pd(values), factor);
    return _mm512_cvtpd_ps(_mm512_add_pd(product, _mm512_set1_pd(8.5)));
  }
  [[gnu::always_inline]] static Floats codes_of_4_bits(const Floats& values, float factor) {
    const auto lanes = (__m512)values;
    const __m512d factors = _mm512_set1_pd(static_cast<double>(factor));
    const __m256 low = codes_of_half(_mm512_castps512_ps256(lanes), factors);
    const __m256 high = codes_of_half(_mm512_extractf32x8_ps(lanes, 1), factors);
    return (Floats)_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
  }
  [[gnu::always_inline]] static void put_bytes(const Ints& x, std::byte* to) {
    const __m128i bytes = _mm512_cvtepi32_epi8((__m512i)x);
    std::memcpy(to, &bytes, sizeof bytes);
  }
};

}  // namespace

const GgmlKernels kGgmlAvx512 = ggml_kernels_of<Avx512>();

}  // namespace weightfs::codec
