// The plane kernels for AVX-512 VBMI2. Compiled with these instructions; called only where the CPU
// has them.
#include <immintrin.h>

#include "planes_bmi2.h"
#include "planes_split.h"

namespace weightfs::codec {
namespace {

__m512i all_bytes(std::uint8_t value) {
  return _mm512_set1_epi8(static_cast<char>(value));
}

std::byte* reduce(const std::byte* symbols, std::size_t count, const std::uint8_t* coded,
                  std::byte* codes, std::byte* next) {
  const __m512i first = all_bytes(coded[0]);
  const __m512i second = all_bytes(coded[1]);
  const __m512i third = all_bytes(coded[2]);
  for (std::size_t i = 0; i < count; i += 64, codes += 16) {
    const __m512i found = _mm512_loadu_si512(symbols + i);
    const std::uint64_t is_first = _mm512_cmpeq_epi8_mask(found, first);
    const std::uint64_t is_second = _mm512_cmpeq_epi8_mask(found, second) & ~is_first;
    const std::uint64_t is_third = _mm512_cmpeq_epi8_mask(found, third) & ~(is_first | is_second);
    const std::uint64_t low = ~(is_first | is_third);
    const std::uint64_t high = ~(is_first | is_second);
    std::memcpy(codes, &low, sizeof low);
    std::memcpy(codes + 8, &high, sizeof high);
    _mm512_storeu_si512(next, _mm512_maskz_compress_epi8(low & high, found));
    next += _mm_popcnt_u64(low & high);
  }
  return next;
}

const std::byte* expand(const std::byte* codes, std::size_t count, const std::uint8_t* coded,
                        const std::byte* next, const std::byte* next_end, std::byte* symbols) {
  const __m512i first = all_bytes(coded[0]);
  const __m512i second = all_bytes(coded[1]);
  const __m512i third = all_bytes(coded[2]);
  for (std::size_t i = 0; i < count && next <= next_end; i += 64, codes += 16) {
    std::uint64_t low;
    std::uint64_t high;
    std::memcpy(&low, codes, sizeof low);
    std::memcpy(&high, codes + 8, sizeof high);
    __m512i found = _mm512_mask_mov_epi8(first, low, second);
    found = _mm512_mask_mov_epi8(found, high, third);
    found = _mm512_mask_expand_epi8(found, low & high, _mm512_loadu_si512(next));
    next += _mm_popcnt_u64(low & high);
    _mm512_storeu_si512(symbols + i, found);
  }
  return next;
}

// 8 times `width` bits become 8 bytes: bytes are spread so that each word of 64 bits holds the bits
// of its 8 bytes, each byte takes its bits from the word, and a table puts them where they belong.
void unpack(const std::byte* packed, std::size_t count, std::uint8_t mask, std::uint8_t fixed,
            std::byte* plane) {
  const auto width = static_cast<unsigned>(__builtin_popcount(mask));
  alignas(64) std::uint8_t spread[64];
  alignas(64) std::uint8_t shift[64];
  alignas(64) std::uint8_t scattered[128];
  for (unsigned i = 0; i < 64; ++i) {
    const unsigned byte = i / 8 * width + i % 8;
    spread[i] = static_cast<std::uint8_t>(byte < 64 ? byte : 63);
    shift[i] = static_cast<std::uint8_t>(i % 8 * width);
  }
  for (unsigned i = 0; i < 128; ++i) {
    scattered[i] = static_cast<std::uint8_t>(_pdep_u32(i, mask) | fixed);
  }
  const __m512i spreads = _mm512_load_si512(spread);
  const __m512i shifts = _mm512_load_si512(shift);
  const __m512i low = _mm512_load_si512(scattered);
  const __m512i high = _mm512_load_si512(scattered + 64);
  const __m512i wanted = all_bytes(static_cast<std::uint8_t>((1U << width) - 1));
  std::size_t i = 0;
  // Loads of 64 bytes must not reach further behind the end than the 8 that are readable.
  for (; i + 64 * 8 <= count; i += 64, packed += 8 * width) {
    const __m512i words = _mm512_permutexvar_epi8(spreads, _mm512_loadu_si512(packed));
    const __m512i bits = _mm512_and_si512(_mm512_multishift_epi64_epi8(shifts, words), wanted);
    _mm512_storeu_si512(plane + i, _mm512_permutex2var_epi8(low, bits, high));
  }
  unpack_words(packed, count - i, mask, fixed, plane + i);
}

// The vector instructions for elements of one size.
struct Elements8 {
  static constexpr unsigned kBytes = 1;
  static std::uint64_t nonzero(__m512i x) { return _mm512_test_epi8_mask(x, x); }
  static __m512i compress(std::uint64_t mask, __m512i x) {
    return _mm512_maskz_compress_epi8(mask, x);
  }
  static __m512i expand(std::uint64_t mask, __m512i x) { return _mm512_maskz_expand_epi8(mask, x); }
};
struct Elements16 {
  static constexpr unsigned kBytes = 2;
  static std::uint64_t nonzero(__m512i x) { return _mm512_test_epi16_mask(x, x); }
  static __m512i compress(std::uint64_t mask, __m512i x) {
    return _mm512_maskz_compress_epi16(static_cast<__mmask32>(mask), x);
  }
  static __m512i expand(std::uint64_t mask, __m512i x) {
    return _mm512_maskz_expand_epi16(static_cast<__mmask32>(mask), x);
  }
};
struct Elements32 {
  static constexpr unsigned kBytes = 4;
  static std::uint64_t nonzero(__m512i x) { return _mm512_test_epi32_mask(x, x); }
  static __m512i compress(std::uint64_t mask, __m512i x) {
    return _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), x);
  }
  static __m512i expand(std::uint64_t mask, __m512i x) {
    return _mm512_maskz_expand_epi32(static_cast<__mmask16>(mask), x);
  }
};
struct Elements64 {
  static constexpr unsigned kBytes = 8;
  static std::uint64_t nonzero(__m512i x) { return _mm512_test_epi64_mask(x, x); }
  static __m512i compress(std::uint64_t mask, __m512i x) {
    return _mm512_maskz_compress_epi64(static_cast<__mmask8>(mask), x);
  }
  static __m512i expand(std::uint64_t mask, __m512i x) {
    return _mm512_maskz_expand_epi64(static_cast<__mmask8>(mask), x);
  }
};

template <class Elements>
std::byte* keep_nonzero(const std::byte* elements, std::size_t count, std::byte* mask,
                        std::byte* kept) {
  constexpr unsigned kLanes = 64 / Elements::kBytes;
  for (std::size_t i = 0; i < count; i += kLanes, elements += 64, mask += kLanes / 8) {
    const __m512i x = _mm512_loadu_si512(elements);
    const std::uint64_t nonzero = Elements::nonzero(x);
    std::memcpy(mask, &nonzero, kLanes / 8);
    _mm512_storeu_si512(kept, Elements::compress(nonzero, x));
    kept += _mm_popcnt_u64(nonzero) * Elements::kBytes;
  }
  return kept;
}

template <class Elements>
void spread_nonzero(const std::byte* mask, std::size_t count, const std::byte* kept,
                    std::byte* elements) {
  constexpr unsigned kLanes = 64 / Elements::kBytes;
  for (std::size_t i = 0; i < count; i += kLanes, elements += 64, mask += kLanes / 8) {
    std::uint64_t nonzero = 0;
    std::memcpy(&nonzero, mask, kLanes / 8);
    _mm512_storeu_si512(elements, Elements::expand(nonzero, _mm512_loadu_si512(kept)));
    kept += _mm_popcnt_u64(nonzero) * Elements::kBytes;
  }
}

}  // namespace

const PlaneKernels kPlanesAvx512 = {
    .split = {Bf16::split, F16::split, F32::split, F64::split, F8E4M3::split, F8E5M2::split,
              Bf16Fine::split, F32Fine::split},
    .merge = {Bf16::merge, F16::merge, F32::merge, F64::merge, F8E4M3::merge, F8E5M2::merge,
              Bf16Fine::merge, F32Fine::merge},
    .scan = scan,
    .pack = pack_words,
    .unpack = unpack,
    .reduce = reduce,
    .expand = expand,
    .keep_nonzero = {keep_nonzero<Elements8>, keep_nonzero<Elements16>, keep_nonzero<Elements32>,
                     keep_nonzero<Elements64>},
    .spread_nonzero = {spread_nonzero<Elements8>, spread_nonzero<Elements16>,
                       spread_nonzero<Elements32>, spread_nonzero<Elements64>},
    .sum_groups = sum_groups,
};

}  // namespace weightfs::codec
