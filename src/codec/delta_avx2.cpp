// The delta kernels for AVX2 and BMI2. Compiled with these instructions; called only where the CPU
// has them.
#include <immintrin.h>

#include "byte_shuffles.h"
#include "delta_groups.h"
#include "delta_planes.h"

namespace weightfs::codec {
namespace {

__m256i half(const Vector8& x, unsigned i) {
  return (__m256i)x.of[i];
}
[[gnu::always_inline]] inline Vector8 join_halves(__m256i a, __m256i b) {
  Vector8 x;
  x.of[0] = (Vector8::Register)a;
  x.of[1] = (Vector8::Register)b;
  return x;
}
// The highest bit of each byte.
[[gnu::always_inline]] inline std::uint64_t high_bits(__m256i a, __m256i b) {
  const auto low = static_cast<std::uint32_t>(_mm256_movemask_epi8(a));
  const auto high = static_cast<std::uint32_t>(_mm256_movemask_epi8(b));
  return low | std::uint64_t{high} << 32;
}

__m256i all_bytes(unsigned value) {
  return _mm256_set1_epi8(static_cast<char>(value));
}

// 16 entries to a register, in both of its lanes.
template <unsigned kSize>
struct Table {
  __m256i rows[kSize / 16];

  [[gnu::always_inline]] explicit Table(const std::uint8_t* table) {
    for (unsigned i = 0; i < kSize / 16; ++i) {
      rows[i] = _mm256_broadcastsi128_si256(
          _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(table + 16 * i))));
    }
  }
  // Bytes whose highest bit is set make a shuffle zero: so is each row but the index's own.
  [[gnu::always_inline]] __m256i operator()(__m256i index) const {
    __m256i found = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (unsigned i = 0; i < kSize / 16; ++i) {
      const __m256i in_row = _mm256_xor_si256(index, all_bytes(16 * i));
      const __m256i other = _mm256_add_epi8(in_row, all_bytes(0x70));
      found = _mm256_or_si256(found, _mm256_shuffle_epi8(rows[i], other));
    }
    return found;
  }
};

// 2^count of each 16-bit word, for counts of 0..15.
[[gnu::always_inline]] inline __m256i powers_of_two(__m256i counts) {
  const __m256i low = _mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2,
                                       4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i high = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, -128, 0, 0,
                                        0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, -128);
  const __m256i low_bytes = _mm256_set1_epi16(0xFF);
  return _mm256_or_si256(_mm256_and_si256(_mm256_shuffle_epi8(low, counts), low_bytes),
                         _mm256_slli_epi16(_mm256_shuffle_epi8(high, counts), 8));
}

[[gnu::always_inline]] inline __m256i shift_words_left(__m256i x, __m256i counts) {
  return _mm256_mullo_epi16(x, powers_of_two(counts));
}
// x * 2^(16 - count) / 2^16; a count of 0 leaves x.
[[gnu::always_inline]] inline __m256i shift_words_right(__m256i x, __m256i counts) {
  const __m256i power = powers_of_two(_mm256_sub_epi16(_mm256_set1_epi16(16), counts));
  const __m256i none = _mm256_cmpeq_epi16(counts, _mm256_setzero_si256());
  return _mm256_blendv_epi8(_mm256_mulhi_epu16(x, power), x, none);
}

struct Avx2 {
  using Table64 = Table<64>;
  using Table128 = Table<128>;
  using BitPlanes = TestedPlanes<Avx2>;
  using OddPlanes = ComparedPlanes<Avx2>;
  using PlaneWords = SpreadPlanes<Avx2>;

  template <unsigned kSize>
  [[gnu::always_inline]] static Vector8 look_up(const Table<kSize>& table, const Vector8& index) {
    return join_halves(table(half(index, 0)), table(half(index, 1)));
  }
  [[gnu::always_inline]] static Vector8 subtract(const Vector8& a, const Vector8& b) {
    return join_halves(_mm256_subs_epu8(half(a, 0), half(b, 0)),
                       _mm256_subs_epu8(half(a, 1), half(b, 1)));
  }
  [[gnu::always_inline]] static std::uint64_t at_least(const Vector8& x, unsigned least) {
    const __m256i bound = all_bytes(least);
    return high_bits(_mm256_cmpeq_epi8(_mm256_max_epu8(half(x, 0), bound), half(x, 0)),
                     _mm256_cmpeq_epi8(_mm256_max_epu8(half(x, 1), bound), half(x, 1)));
  }
  [[gnu::always_inline]] static std::uint64_t equal_to(const Vector8& x, unsigned wanted) {
    return high_bits(_mm256_cmpeq_epi8(half(x, 0), all_bytes(wanted)),
                     _mm256_cmpeq_epi8(half(x, 1), all_bytes(wanted)));
  }
  // Shifting pairs of bytes brings the bit to the top of its own.
  [[gnu::always_inline]] static std::uint64_t has_bit(const Vector8& x, unsigned bit) {
    const __m128i count = _mm_cvtsi32_si128(static_cast<int>(7 - bit));
    return high_bits(_mm256_sll_epi16(half(x, 0), count), _mm256_sll_epi16(half(x, 1), count));
  }
  [[gnu::always_inline]] static __m256i spread_half(std::uint32_t bits, unsigned value) {
    const __m256i byte_of =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit_of = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ULL));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), byte_of);
    const __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit_of), bit_of);
    return _mm256_and_si256(is_set, all_bytes(value));
  }
  [[gnu::always_inline]] static Vector8 spread(std::uint64_t bits, unsigned value) {
    return join_halves(spread_half(static_cast<std::uint32_t>(bits), value),
                       spread_half(static_cast<std::uint32_t>(bits >> 32), value));
  }
  [[gnu::always_inline]] static void pack(const Vector8& bytes, std::uint64_t bits,
                                          std::byte*& to) {
    if (bits == ~std::uint64_t{0}) {
      bytes.store(to);
      to += 64;
    } else if (bits != 0) {
      to = pack_bytes(bytes, bits, to);
    }
  }
  [[gnu::always_inline]] static Vector8 unpack(std::uint64_t bits, const std::byte*& from) {
    if (bits == 0) return Vector8::all(0);
    if (bits != ~std::uint64_t{0}) return unpack_bytes(bits, from);
    from += 64;
    return Vector8::load(from - 64);
  }
  [[gnu::always_inline]] static std::uint64_t gather_bits(std::uint64_t value, std::uint64_t mask) {
    return _pext_u64(value, mask);
  }
  [[gnu::always_inline]] static std::uint64_t scatter_bits(std::uint64_t value,
                                                           std::uint64_t mask) {
    return _pdep_u64(value, mask);
  }
  [[gnu::always_inline]] static std::uint64_t count_bits(std::uint64_t bits) {
    return static_cast<std::uint64_t>(_mm_popcnt_u64(bits));
  }
  template <std::size_t kValueBytes>
  static void list_values(std::uint64_t places, std::uint32_t first, std::uint32_t*& values) {
    list_places(places, kValueBytes, first, values);
  }
  template <class Words>
  [[gnu::always_inline]] static Words shift_left(const Words& x, const Words& counts) {
    if constexpr (sizeof(typename Words::Word) != 2) return x << counts;
    return Words::map(
        x, counts, [](auto of_x, auto of_counts) __attribute__((always_inline)) {
          return shift_words_left((__m256i)of_x, (__m256i)of_counts);
        });
  }
  template <class Words>
  [[gnu::always_inline]] static Words shift_right(const Words& x, const Words& counts) {
    if constexpr (sizeof(typename Words::Word) != 2) return x >> counts;
    return Words::map(
        x, counts, [](auto of_x, auto of_counts) __attribute__((always_inline)) {
          return shift_words_right((__m256i)of_x, (__m256i)of_counts);
        });
  }
  [[gnu::always_inline]] static std::uint64_t differ(const std::byte* a, const std::byte* b,
                                                     std::size_t bytes) {
    __m256i difference = _mm256_setzero_si256();
    for (std::size_t i = 0; i < bytes; i += 64) {
      const Vector8 x = Vector8::load(a + i) ^ Vector8::load(b + i);
      difference = _mm256_or_si256(difference, _mm256_or_si256(half(x, 0), half(x, 1)));
    }
    return _mm256_testz_si256(difference, difference) == 0 ? 1 : 0;
  }

 private:
  static std::byte* pack_bytes(const Vector8& bytes, std::uint64_t bits, std::byte* to) {
    alignas(64) std::byte stored[64];
    bytes.store(stored);
    for (unsigned i = 0; i < 64; i += 8) {
      to = pack_8_bytes(stored + i, static_cast<unsigned>(bits >> i & 0xFF), to);
    }
    return to;
  }
  static Vector8 unpack_bytes(std::uint64_t bits, const std::byte*& from) {
    alignas(64) std::byte unpacked[64];
    for (unsigned i = 0; i < 64; i += 8) {
      from = unpack_8_bytes(static_cast<unsigned>(bits >> i & 0xFF), from, unpacked + i);
    }
    return Vector8::load(unpacked);
  }
};

}  // namespace

const DeltaKernels kDeltaAvx2[kDeltaFloats] = {DeltaGroups<Avx2, std::uint16_t, 7>::kernels(),
                                               DeltaGroups<Avx2, std::uint16_t, 10>::kernels(),
                                               DeltaGroups<Avx2, std::uint32_t, 23>::kernels(),
                                               DeltaGroups<Avx2, std::uint64_t, 52>::kernels()};

}  // namespace weightfs::codec
