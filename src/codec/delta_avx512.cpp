// The delta kernels for AVX-512 VBMI2. Compiled with these instructions; called only where the CPU
// has them.
#include <type_traits>

#include "delta_groups.h"
#include "planes_gfni.h"
#include "rans_avx512_contexts.h"

namespace weightfs::codec {
namespace {

__m512i all_bytes(unsigned value) {
  return _mm512_set1_epi8(static_cast<char>(value));
}

struct Table64 {
  __m512i entries;
  [[gnu::always_inline]] explicit Table64(const std::uint8_t* table)
      : entries(_mm512_load_si512(table)) {}
};

__m512i in_register(const Vector8& x) {
  return (__m512i)x.of[0];
}
Vector8 as_vector(__m512i x) {
  return {{(Vector8::Register)x}};
}

struct alignas(64) BitPlanes {
  std::uint64_t words[8];

  [[gnu::always_inline]] explicit BitPlanes(const Vector8& x) {
    _mm512_store_si512(words, avx512::planes_of_bytes(in_register(x)));
    // GCC would take each word from the register, which is slower than from memory.
    asm("" : "+m"(words));
  }
  [[gnu::always_inline]] std::uint64_t of_bit(unsigned bit) const { return words[bit]; }
};

// By 16 counts: as many low bits as count % 8.
struct alignas(64) OddMasks {
  std::uint8_t of_count[64];

  constexpr OddMasks() : of_count() {
    for (unsigned i = 0; i < 64; ++i) of_count[i] = static_cast<std::uint8_t>((1U << i % 8) - 1);
  }
};
constexpr OddMasks kOddMasks;

struct OddPlanes : BitPlanes {
  [[gnu::always_inline]] explicit OddPlanes(const Vector8& k)
      : BitPlanes(
            as_vector(_mm512_shuffle_epi8(_mm512_load_si512(kOddMasks.of_count), in_register(k)))) {
  }
};

// Words that are not written must be zero.
struct alignas(64) PlaneWords {
  std::uint64_t of_bit[8];

  [[gnu::always_inline]] Vector8 as_bytes(unsigned) const {
    return as_vector(avx512::bytes_of_planes(_mm512_load_si512(of_bit)));
  }
};

// By place the element of its group.
template <std::size_t kValueBytes>
struct alignas(64) Elements {
  std::uint8_t of_place[64];

  constexpr Elements() : of_place() {
    for (std::size_t i = 0; i < 64; ++i) {
      of_place[i] = static_cast<std::uint8_t>(element_of_place(i, kValueBytes));
    }
  }
};
template <std::size_t kValueBytes>
constexpr Elements<kValueBytes> kElements;

struct Avx512 {
  using Table64 = codec::Table64;
  using Table128 = avx512::Lookup128;
  using BitPlanes = codec::BitPlanes;
  using OddPlanes = codec::OddPlanes;
  using PlaneWords = codec::PlaneWords;

  [[gnu::always_inline]] static Vector8 look_up(const Table64& table, const Vector8& index) {
    return as_vector(_mm512_permutexvar_epi8(in_register(index), table.entries));
  }
  [[gnu::always_inline]] static Vector8 look_up(const Table128& table, const Vector8& index) {
    return as_vector(table(in_register(index)));
  }
  [[gnu::always_inline]] static Vector8 subtract(const Vector8& a, const Vector8& b) {
    return as_vector(_mm512_subs_epu8(in_register(a), in_register(b)));
  }
  [[gnu::always_inline]] static std::uint64_t at_least(const Vector8& x, unsigned least) {
    return _mm512_cmpge_epu8_mask(in_register(x), all_bytes(least));
  }
  [[gnu::always_inline]] static std::uint64_t equal_to(const Vector8& x, unsigned wanted) {
    return _mm512_cmpeq_epi8_mask(in_register(x), all_bytes(wanted));
  }
  [[gnu::always_inline]] static void pack(const Vector8& x, std::uint64_t bits, std::byte*& to) {
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi8(bits, in_register(x)));
    to += _mm_popcnt_u64(bits);
  }
  [[gnu::always_inline]] static Vector8 unpack(std::uint64_t bits, const std::byte*& from) {
    const __m512i next = _mm512_loadu_si512(from);
    from += _mm_popcnt_u64(bits);
    return as_vector(_mm512_maskz_expand_epi8(bits, next));
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
  [[gnu::always_inline]] static void list_values(std::uint64_t places, std::uint32_t first,
                                                 std::uint32_t*& values) {
    const __m512i elements = _mm512_load_si512(kElements<kValueBytes>.of_place);
    const __m512i listed = _mm512_maskz_compress_epi8(places, elements);
    const auto count = static_cast<std::uint32_t>(_mm_popcnt_u64(places));
    put_values(_mm512_castsi512_si128(listed), first, values);
    if (__builtin_expect(count > 16, 0)) {
      put_values(_mm512_extracti32x4_epi32(listed, 1), first, values + 16);
      put_values(_mm512_extracti32x4_epi32(listed, 2), first, values + 32);
      put_values(_mm512_extracti32x4_epi32(listed, 3), first, values + 48);
    }
    values += count;
  }
  [[gnu::always_inline]] static void put_values(__m128i elements, std::uint32_t first,
                                                std::uint32_t* values) {
    const __m512i of_group = _mm512_cvtepu8_epi32(elements);
    _mm512_storeu_si512(values,
                        _mm512_add_epi32(of_group, _mm512_set1_epi32(static_cast<int>(first))));
  }
  template <class Words>
  [[gnu::always_inline]] static Words shift_left(const Words& x, const Words& counts) {
    return x << counts;
  }
  template <class Words>
  [[gnu::always_inline]] static Words shift_right(const Words& x, const Words& counts) {
    return x >> counts;
  }
  [[gnu::always_inline]] static std::uint64_t differ(const std::byte* a, const std::byte* b,
                                                     std::size_t bytes) {
    Vector8 difference = Vector8::all(0);
    for (std::size_t i = 0; i < bytes; i += 64) {
      difference = difference | (Vector8::load(a + i) ^ Vector8::load(b + i));
    }
    const __m512i x = in_register(difference);
    return _mm512_test_epi64_mask(x, x) != 0 ? 1 : 0;
  }
};

// Symbols straight from their stream, of kPairs vectors of lanes.
template <unsigned kPairs>
struct CodedSymbols {
  avx512::ContextDecodeTable table;
  avx512::States states[kPairs];
  const std::byte* in;
  const std::byte* in_end;

  [[gnu::always_inline]] explicit CodedSymbols(DeltaDecodeJob& job)
      : table(*job.rans.table), in(job.rans.in), in_end(job.rans.in_end) {
    for (unsigned i = 0; i < kPairs; ++i) states[i] = avx512::load_states(job.rans.states + 64 * i);
  }
  [[gnu::always_inline]] bool may_go_on() const {
    return in_end - in >= static_cast<std::ptrdiff_t>(kRansReadAhead);
  }
  template <unsigned kTurn>
  [[gnu::always_inline]] Vector8 next(const Vector8& entries) {
    return as_vector(
        avx512::decode_contexts(states[kTurn % kPairs], table, in_register(entries), in));
  }
  [[gnu::always_inline]] void finish(DeltaDecodeJob& job) const {
    for (unsigned i = 0; i < kPairs; ++i) avx512::store_states(states[i], job.rans.states + 64 * i);
    job.rans.in = in;
    job.rans.count = job.group_count * kDeltaGroup;
  }
};

template <class Groups>
void decode_coded(DeltaDecodeJob& job) {
  if (job.rans.lanes == 64) return Groups::template decode_from<CodedSymbols<1>>(job);
  Groups::template decode_from<CodedSymbols<2>>(job);
}

template <class Word, unsigned kMantissaBits>
constexpr DeltaKernels kernels() {
  using Groups = DeltaGroups<Avx512, Word, kMantissaBits>;
  return Groups::kernels(decode_coded<Groups>);
}

}  // namespace

const DeltaKernels kDeltaAvx512[kDeltaFloats] = {
    kernels<std::uint16_t, 7>(), kernels<std::uint16_t, 10>(), kernels<std::uint32_t, 23>(),
    kernels<std::uint64_t, 52>()};

}  // namespace weightfs::codec
