#include "delta_floats.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace weightfs::codec {
namespace {

constexpr std::size_t kSizes[] = {0, 1, 7, 255, 256, 257, 511, 512, 1023, 8192, 70001, 300000};

enum class Kind { close, drifted, equal, random, special, zero_base, optimizer };
constexpr Kind kKinds[] = {Kind::close,   Kind::drifted,   Kind::equal,    Kind::random,
                           Kind::special, Kind::zero_base, Kind::optimizer};

struct Pair {
  ByteVector raw;
  ByteVector base;
};

template <class Float, class Word>
class PairMaker {
 public:
  PairMaker(Kind kind, unsigned seed) : kind_(kind), random_(seed) {}

  std::pair<Word, Word> make() {
    const Float base = static_cast<Float>(normal_(random_)) * Float{0.02F};
    const Float drift = kind_ == Kind::drifted ? Float{0.01F} : Float{0.00001F};
    Word of_base = std::bit_cast<Word>(base);
    Word value = std::bit_cast<Word>(base + static_cast<Float>(normal_(random_)) * drift);
    if (kind_ == Kind::equal) value = of_base;
    if (kind_ == Kind::random) value = bits();
    if (kind_ == Kind::special && random_() % 3 == 0) value = special();
    if (kind_ == Kind::special && random_() % 3 == 0) of_base = special();
    if (kind_ == Kind::zero_base) of_base = random_() % 2 == 0 ? 0 : special();
    if (kind_ == Kind::optimizer) {
      const Float moment = base * base * static_cast<Float>(std::exp(normal_(random_) * 8));
      of_base = std::bit_cast<Word>(moment);
      value = std::bit_cast<Word>(moment * Float{0.95F} + static_cast<Float>(1e-12));
    }
    return {value, of_base};
  }

 private:
  Word bits() { return static_cast<Word>(wide_(random_)); }
  // A NaN with a payload, infinities, zeros of both signs, denormals, the largest numbers.
  Word special() {
    using Limits = std::numeric_limits<Float>;
    const Float numbers[] = {0,
                             -Float{0},
                             Limits::infinity(),
                             -Limits::infinity(),
                             Limits::denorm_min(),
                             -Limits::denorm_min(),
                             Limits::max(),
                             Limits::lowest(),
                             Limits::min()};
    const std::size_t choice = random_() % (std::size(numbers) + 2);
    if (choice < std::size(numbers)) return std::bit_cast<Word>(numbers[choice]);
    const Word nan = std::bit_cast<Word>(Limits::quiet_NaN()) | (bits() >> 16);
    return choice % 2 == 0 ? nan : ~Word{0};
  }

  Kind kind_;
  std::mt19937 random_;
  std::uniform_int_distribution<std::uint64_t> wide_;
  std::normal_distribution<double> normal_;
};

template <class Float, class Word>
Pair make_pair_of(Kind kind, std::size_t size) {
  Pair pair{ByteVector(size, std::byte{0x5A}), ByteVector(size)};
  PairMaker<Float, Word> maker(kind,
                               static_cast<unsigned>(size) * 31 + static_cast<unsigned>(kind));
  for (std::size_t i = 0; i + sizeof(Word) <= size; i += sizeof(Word)) {
    const auto [value, of_base] = maker.make();
    store_unaligned(&pair.raw[i], value);
    store_unaligned(&pair.base[i], of_base);
  }
  return pair;
}

Pair make_pair(Kind kind, std::size_t size, DeltaFloat format) {
  return format == DeltaFloat::f32 ? make_pair_of<float, std::uint32_t>(kind, size)
                                   : make_pair_of<double, std::uint64_t>(kind, size);
}

ByteVector encode(const Pair& pair, DeltaFloat format, Isa isa) {
  DeltaFloatsScratch scratch;
  ByteVector stream(8 * pair.raw.size() + 65536);
  StreamWriter out(stream);
  const DeltaFloatsChoice choice = choose_delta_floats(pair.raw, pair.base, format, scratch, isa);
  encode_delta_floats(pair.raw, pair.base, format, choice, scratch, out, isa);
  EXPECT_FALSE(out.failed());
  stream.resize(out.size());
  stream.shrink_to_fit();  // so that AddressSanitizer sees a read past the end
  return stream;
}

Result<ByteVector> decode(ByteSpan stream, const ByteVector& base, DeltaFloat format, Isa isa) {
  DeltaFloatsScratch scratch;
  ByteVector out(base.size());
  ByteReader in(stream);
  WEIGHTFS_TRY(decode_delta_floats(in, base, format, out, scratch, isa));
  if (!in.at_end()) return fail(Code::corrupt, "bytes are left");
  return out;
}

class DeltaWideFloats : public testing::TestWithParam<DeltaFloat> {};

TEST_P(DeltaWideFloats, RoundTripsAnyBitsWithTheSameBytesOnEveryInstructionSet) {
  for (const Kind kind : kKinds) {
    for (const std::size_t size : kSizes) {
      SCOPED_TRACE(testing::Message() << "kind " << static_cast<int>(kind) << ", size " << size);
      const Pair pair = make_pair(kind, size, GetParam());
      const ByteVector stream = encode(pair, GetParam(), Isa::scalar);
      for (const Isa isa : available_isas()) {
        SCOPED_TRACE(isa_name(isa));
        ASSERT_EQ(encode(pair, GetParam(), isa), stream);
        const Result<ByteVector> decoded = decode(stream, pair.base, GetParam(), isa);
        ASSERT_TRUE(decoded) << decoded.error().message;
        ASSERT_EQ(*decoded, pair.raw);
      }
    }
  }
}

TEST_P(DeltaWideFloats, EstimatesItsSizeWithinATenth) {
  for (const Kind kind : {Kind::close, Kind::drifted}) {
    const Pair pair = make_pair(kind, 262144, GetParam());
    DeltaFloatsScratch scratch;
    const double estimate =
        choose_delta_floats(pair.raw, pair.base, GetParam(), scratch).estimated_bytes;
    const auto size = static_cast<double>(encode(pair, GetParam(), active_isa()).size());
    EXPECT_NEAR(estimate, size, size / 10);
  }
}

TEST_P(DeltaWideFloats, DecodesOrRefusesAStreamWithAnyByteChanged) {
  const Pair pair = make_pair(Kind::special, 3000, GetParam());
  const ByteVector stream = encode(pair, GetParam(), Isa::scalar);
  for (const Isa isa : available_isas()) {
    std::size_t refused = 0;
    for (std::size_t i = 0; i < stream.size(); ++i) {
      ByteVector damaged = stream;
      damaged[i] ^= std::byte{0x83};
      refused += decode(damaged, pair.base, GetParam(), isa) ? 0 : 1;
    }
    EXPECT_GT(refused, 10U) << isa_name(isa);
  }
}

TEST_P(DeltaWideFloats, RefusesATruncatedStream) {
  const Pair pair = make_pair(Kind::optimizer, 5003, GetParam());
  const ByteVector stream = encode(pair, GetParam(), Isa::scalar);
  for (const Isa isa : available_isas()) {
    for (std::size_t size = 0; size < stream.size(); ++size) {
      const ByteVector cut(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(decode(cut, pair.base, GetParam(), isa)) << size << " on " << isa_name(isa);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, DeltaWideFloats,
                         testing::Values(DeltaFloat::f32, DeltaFloat::f64));

}  // namespace
}  // namespace weightfs::codec
