// The delta kernels for any CPU. GCC's vectors become what the baseline has.
#include "delta_groups.h"
#include "delta_planes.h"

namespace weightfs::codec {
namespace {

constexpr std::uint64_t kLowBits = 0x0101010101010101;
constexpr std::uint64_t kHighBits = 0x8080808080808080;

// Eight bytes at a time in a word.
struct Bytes {
  std::uint64_t words[8];

  [[gnu::always_inline]] explicit Bytes(const Vector8& x) { std::memcpy(words, &x, sizeof words); }
  [[gnu::always_inline]] Vector8 as_vector() const {
    Vector8 x;
    std::memcpy(&x, words, sizeof x);
    return x;
  }
};

// A bit for each byte of `x`, that which `high_bit_of` puts into its highest.
template <class Function>
[[gnu::always_inline]] inline std::uint64_t bits_where(const Vector8& x, Function high_bit_of) {
  // Moves bit 8 i to bit 56 + i, without carries.
  constexpr std::uint64_t kGather = 0x0102040810204080;
  const Bytes bytes(x);
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const std::uint64_t low = high_bit_of(bytes.words[i]) >> 7 & kLowBits;
    bits |= low * kGather >> 56 << (8 * i);
  }
  return bits;
}

template <unsigned kSize>
struct Table {
  const std::uint8_t* entries;
  explicit Table(const std::uint8_t* table) : entries(table) {}
};

struct Scalar {
  using Table64 = Table<64>;
  using Table128 = Table<128>;
  using BitPlanes = TestedPlanes<Scalar>;
  using OddPlanes = ComparedPlanes<Scalar>;
  using PlaneWords = SpreadPlanes<Scalar>;

  template <unsigned kSize>
  static Vector8 look_up(Table<kSize> table, Vector8 index) {
    Vector8 found;
    for (unsigned i = 0; i < 64; ++i) found.set(i, table.entries[index[i] % kSize]);
    return found;
  }
  static Vector8 subtract(Vector8 a, Vector8 b) {
    return Vector8::map(a, b, [](auto x, auto y) { return x > y ? x - y : x - x; });
  }
  static std::uint64_t at_least(const Vector8& x, unsigned least) {
    const std::uint64_t b = least * kLowBits;
    return bits_where(x, [=](std::uint64_t a) {
      const std::uint64_t difference = (a | kHighBits) - (b & ~kHighBits);
      return (a & ~b) | (~(a ^ b) & difference);
    });
  }
  static std::uint64_t equal_to(const Vector8& x, unsigned wanted) {
    return bits_where(x, [=](std::uint64_t a) {
      const std::uint64_t other = a ^ wanted * kLowBits;
      return ~(((other & ~kHighBits) + ~kHighBits) | other);
    });
  }
  static std::uint64_t has_bit(const Vector8& x, unsigned bit) {
    return bits_where(x, [=](std::uint64_t a) { return a << (7 - bit); });
  }
  static Vector8 spread(std::uint64_t bits, unsigned value) {
    Bytes bytes(Vector8::all(0));
    for (unsigned i = 0; i < 8; ++i) {
      const std::uint64_t bit_of_byte = (bits >> (8 * i) & 0xFF) * kLowBits & 0x8040201008040201;
      bytes.words[i] = ((bit_of_byte + ~kHighBits) | bit_of_byte) >> 7 & kLowBits;
      bytes.words[i] *= value;
    }
    return bytes.as_vector();
  }
  static void pack(Vector8 x, std::uint64_t bits, std::byte*& to) {
    for (unsigned i = 0; i < 64; ++i) {
      *to = std::byte{x[i]};
      to += bits >> i & 1;
    }
  }
  static Vector8 unpack(std::uint64_t bits, const std::byte*& from) {
    Vector8 x = Vector8::all(0);
    for (; bits != 0; bits &= bits - 1) {
      x.set(static_cast<std::size_t>(__builtin_ctzll(bits)), static_cast<std::uint8_t>(*from++));
    }
    return x;
  }
  static std::uint64_t gather_bits(std::uint64_t value, std::uint64_t mask) {
    if (mask == ~std::uint64_t{0}) return value;
    std::uint64_t gathered = 0;
    for (unsigned to = 0; mask != 0; mask &= mask - 1) {
      gathered |= (value >> __builtin_ctzll(mask) & 1) << to++;
    }
    return gathered;
  }
  static std::uint64_t scatter_bits(std::uint64_t value, std::uint64_t mask) {
    if (mask == ~std::uint64_t{0}) return value;
    std::uint64_t scattered = 0;
    for (; mask != 0; mask &= mask - 1, value >>= 1) {
      if ((value & 1) != 0) scattered |= mask & -mask;
    }
    return scattered;
  }
  static std::uint64_t count_bits(std::uint64_t bits) {
    return static_cast<std::uint64_t>(__builtin_popcountll(bits));
  }
  template <std::size_t kValueBytes>
  static void list_values(std::uint64_t places, std::uint32_t first, std::uint32_t*& values) {
    list_places(places, kValueBytes, first, values);
  }
  template <class Words>
  static Words shift_left(Words x, Words counts) {
    return x << counts;
  }
  template <class Words>
  static Words shift_right(Words x, Words counts) {
    return x >> counts;
  }
  static std::uint64_t differ(const std::byte* a, const std::byte* b, std::size_t bytes) {
    return std::memcmp(a, b, bytes) != 0 ? 1 : 0;
  }
};

}  // namespace

const DeltaKernels kDeltaScalar[kDeltaFloats] = {DeltaGroups<Scalar, std::uint16_t, 7>::kernels(),
                                                 DeltaGroups<Scalar, std::uint16_t, 10>::kernels(),
                                                 DeltaGroups<Scalar, std::uint32_t, 23>::kernels(),
                                                 DeltaGroups<Scalar, std::uint64_t, 52>::kernels()};

}  // namespace weightfs::codec
