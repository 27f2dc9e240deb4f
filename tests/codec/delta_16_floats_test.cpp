#include "delta_floats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace weightfs::codec {
namespace {

constexpr std::size_t kSizes[] = {0, 1, 2, 127, 128, 129, 255, 8192, 8193, 70000};

struct Pair {
  ByteVector raw;
  ByteVector base;
};

enum class Kind { close, drifted, sparse, equal, random, special, zero_base };
constexpr Kind kKinds[] = {Kind::close,  Kind::drifted, Kind::sparse,   Kind::equal,
                           Kind::random, Kind::special, Kind::zero_base};

std::uint16_t as_16(float value, DeltaFloat format) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (format == DeltaFloat::bf16) return static_cast<std::uint16_t>(bits >> 16);
  // Near enough to fp16 for numbers that are normal in it: the exponent is taken to its bias of 15.
  return static_cast<std::uint16_t>(((bits >> 16) & 0x8000) |
                                    (((bits - 0x38000000) >> 13) & 0x7FFF));
}

// NaNs with payloads, infinities, zeros of both signs, denormals, and the largest numbers.
constexpr std::uint16_t kSpecials[] = {0x0000, 0x8000, 0x0001, 0x8001, 0x7F80, 0xFF80,
                                       0x7FC0, 0xFFFF, 0x7F81, 0x7C00, 0xFC00, 0x7E01,
                                       0x03FF, 0x007F, 0x7F7F, 0x8080};

Pair make_pair(Kind kind, std::size_t size, DeltaFloat format) {
  std::mt19937 random(static_cast<unsigned>(size) * 31 + static_cast<unsigned>(kind));
  std::normal_distribution<float> normal;
  Pair pair{ByteVector(size), ByteVector(size)};
  const auto special = [&] { return kSpecials[random() % std::size(kSpecials)]; };
  for (std::size_t i = 0; i + 2 <= size; i += 2) {
    const float base = normal(random) * 0.02F;
    const float drift = kind == Kind::drifted ? 0.01F : 0.0001F;
    std::uint16_t base_bits = as_16(base, format);
    std::uint16_t bits = as_16(base + normal(random) * drift, format);
    if (kind == Kind::equal || (kind == Kind::sparse && random() % 400 != 0)) bits = base_bits;
    if (kind == Kind::random) bits = static_cast<std::uint16_t>(random());
    if (kind == Kind::special && random() % 3 == 0) bits = special();
    if (kind == Kind::special && random() % 3 == 0) base_bits = special();
    if (kind == Kind::zero_base) base_bits = random() % 2 == 0 ? 0 : 0x8000;
    store_unaligned(&pair.raw[i], bits);
    store_unaligned(&pair.base[i], base_bits);
  }
  if (size % 2 != 0) pair.raw.back() = std::byte{0xA5};
  return pair;
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

class Delta16Floats : public testing::TestWithParam<DeltaFloat> {};

TEST_P(Delta16Floats, RoundTripsAnyBitsWithTheSameBytesOnEveryInstructionSet) {
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

TEST_P(Delta16Floats, TakesAFewBytesForABlockThatDidNotChange) {
  const Pair pair = make_pair(Kind::equal, 65536, GetParam());
  EXPECT_LT(encode(pair, GetParam(), active_isa()).size(), 16U);
}

TEST_P(Delta16Floats, EstimatesItsSizeWithinATenth) {
  for (const Kind kind : {Kind::close, Kind::drifted}) {
    const Pair pair = make_pair(kind, 262144, GetParam());
    DeltaFloatsScratch scratch;
    const double estimate =
        choose_delta_floats(pair.raw, pair.base, GetParam(), scratch).estimated_bytes;
    const auto size = static_cast<double>(encode(pair, GetParam(), active_isa()).size());
    EXPECT_NEAR(estimate, size, size / 10);
  }
}

TEST_P(Delta16Floats, DecodesOrRefusesAStreamWithAnyByteChanged) {
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

TEST_P(Delta16Floats, RefusesATruncatedStream) {
  const Pair pair = make_pair(Kind::sparse, 5000, GetParam());
  const ByteVector stream = encode(pair, GetParam(), Isa::scalar);
  for (const Isa isa : available_isas()) {
    for (std::size_t size = 0; size < stream.size(); ++size) {
      const ByteVector cut(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(decode(cut, pair.base, GetParam(), isa))
          << size << " bytes on " << isa_name(isa);
    }
  }
}

TEST_P(Delta16Floats, RefusesABaseOfAnotherLength) {
  const Pair pair = make_pair(Kind::close, 5000, GetParam());
  const ByteVector stream = encode(pair, GetParam(), active_isa());
  DeltaFloatsScratch scratch;
  ByteVector out(pair.raw.size());
  ByteReader in(stream);
  EXPECT_FALSE(decode_delta_floats(in, ByteSpan(pair.base).first(4998), GetParam(), out, scratch));
}

INSTANTIATE_TEST_SUITE_P(Formats, Delta16Floats,
                         testing::Values(DeltaFloat::bf16, DeltaFloat::f16));

}  // namespace
}  // namespace weightfs::codec
