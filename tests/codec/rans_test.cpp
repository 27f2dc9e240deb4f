#include "rans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace weightfs::codec {
namespace {

constexpr std::size_t kCounts[] = {1, 63, 64, 65, 255, 256, 257, 1000, 4100, 5000, 32768, 40001};

enum class Kind { random, constant, exponents, uniform, shifting };
constexpr Kind kKinds[] = {Kind::random, Kind::constant, Kind::exponents, Kind::uniform,
                           Kind::shifting};

ByteVector make_symbols(Kind kind, std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(count) + 1);
  std::normal_distribution<float> normal;
  const auto draw = [&] { return static_cast<unsigned>(random()); };
  ByteVector symbols(rans_padded(count));
  for (std::size_t i = 0; i < count; ++i) {
    const auto exponent = static_cast<unsigned>(std::ilogb(normal(random) + 1e-6F) + 120);
    unsigned value = 0;
    switch (kind) {
      case Kind::random:
        value = draw();
        break;
      case Kind::constant:
        value = 255;
        break;
      case Kind::exponents:
        value = exponent;
        break;
      case Kind::uniform:
        value = draw() % 20;
        break;
      case Kind::shifting:
        value = exponent + static_cast<unsigned>(10 * (i / kRansGroup));
        break;
    }
    symbols[i] = static_cast<std::byte>(value);
  }
  return symbols;
}

RansModel one_table(ByteSpan symbols) {
  RansModel model;
  model.tables[0] = RansTable::from_sample(sample_histogram(symbols, 4096));
  return model;
}

// Three tables, of which the first escapes everything, and the third everything but the first
// symbol.
RansModel three_tables(ByteSpan symbols) {
  RansModel model;
  model.table_count = 3;
  model.tables[0] = RansTable::from_sample({});
  model.tables[1] = RansTable::from_sample(sample_histogram(symbols, 4096));
  model.tables[2] = RansTable::from_sample(sample_histogram(symbols.first(1), 4096));
  for (std::size_t group = 0; group * kRansGroup < symbols.size(); ++group) {
    model.table_of_group.push_back(static_cast<std::byte>(group % 3));
  }
  return model;
}

ByteVector encode(ByteVector symbols, std::size_t count, const RansModel& model, Isa isa) {
  ByteVector stream(rans_capacity(count));
  RansScratch scratch;
  StreamWriter out(stream);
  encode_rans_plane(MutableByteSpan(symbols).first(count), model, scratch, out, isa);
  EXPECT_FALSE(out.failed());
  stream.resize(out.size());
  return stream;
}

Result<ByteVector> decode(ByteSpan stream, std::size_t count, Isa isa) {
  ByteVector symbols(rans_padded(count));
  RansScratch scratch;
  ByteReader in(stream);
  WEIGHTFS_TRY(decode_rans_plane(in, MutableByteSpan(symbols).first(count), scratch, isa));
  if (!in.at_end()) return fail(Code::corrupt, "bytes are left");
  symbols.resize(count);
  return symbols;
}

void expect_round_trip(const ByteVector& symbols, std::size_t count, const RansModel& model) {
  const ByteVector stream = encode(symbols, count, model, Isa::scalar);
  for (const Isa isa : available_isas()) {
    SCOPED_TRACE(isa_name(isa));
    EXPECT_EQ(encode(symbols, count, model, isa), stream);
    const Result<ByteVector> decoded = decode(stream, count, isa);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_TRUE(std::equal(decoded->begin(), decoded->end(), symbols.begin()));
  }
}

TEST(Rans, RoundTripsAnyPlaneWithTheSameBytesOnEveryInstructionSet) {
  for (const std::size_t count : kCounts) {
    for (const Kind kind : kKinds) {
      SCOPED_TRACE(testing::Message() << count << " symbols, kind " << static_cast<int>(kind));
      const ByteVector symbols = make_symbols(kind, count);
      expect_round_trip(symbols, count, one_table(ByteSpan(symbols).first(count)));
      expect_round_trip(symbols, count, three_tables(ByteSpan(symbols).first(count)));
    }
  }
}

TEST(Rans, ComesCloseToTheEntropyOfExponents) {
  constexpr std::size_t kCount = 131072;
  const ByteVector symbols = make_symbols(Kind::exponents, kCount);
  Histogram counts{};
  add_to_histogram(symbols, counts);
  double entropy_bits = 0;
  for (const std::uint32_t count : counts) {
    if (count > 0) entropy_bits -= count * std::log2(count / static_cast<double>(kCount));
  }
  const ByteVector stream = encode(symbols, kCount, one_table(symbols), Isa::scalar);
  EXPECT_LT(static_cast<double>(stream.size()) * 8, entropy_bits * 1.03);
}

TEST(Rans, RefusesAStreamWithAnyByteChangedOrDecodesWithoutHarm) {
  constexpr std::size_t kCount = 700;
  const ByteVector symbols = make_symbols(Kind::exponents, kCount);
  const ByteVector stream = encode(symbols, kCount, three_tables(symbols), Isa::scalar);
  for (const Isa isa : available_isas()) {
    std::size_t refused = 0;
    for (std::size_t i = 0; i < stream.size(); ++i) {
      ByteVector damaged = stream;
      damaged[i] ^= std::byte{0x41};
      refused += decode(damaged, kCount, isa) ? 0 : 1;
    }
    // A changed escape is the only damage that rANS itself cannot see.
    EXPECT_GT(refused, stream.size() / 3) << isa_name(isa);
  }
}

TEST(Rans, RefusesATruncatedStream) {
  for (const std::size_t count : {std::size_t{200}, std::size_t{5000}}) {
    const ByteVector symbols = make_symbols(Kind::uniform, count);
    const ByteVector stream = encode(symbols, count, one_table(symbols), Isa::scalar);
    for (const Isa isa : available_isas()) {
      for (std::size_t size = 0; size < stream.size(); ++size) {
        EXPECT_FALSE(decode(ByteSpan(stream).first(size), count, isa)) << isa_name(isa);
      }
    }
  }
}

struct ContextPlane {
  ByteVector symbols;
  ByteVector contexts;
  RansContextModel model;
};

ContextPlane make_context_plane(std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(count));
  std::array<std::array<std::uint32_t, kRansContextSymbols>, kRansContexts> counts{};
  ContextPlane plane{ByteVector(rans_padded(count)), ByteVector(rans_padded(count)), {}};
  for (std::size_t i = 0; i < count; ++i) {
    const auto drawn = static_cast<unsigned>(random());
    const unsigned context = drawn % 3;  // the fourth never comes
    const unsigned symbol = context == 0 ? 31 : (drawn / 3) % (8U << context) % 32;
    ++counts[context][symbol];
    plane.contexts[i] = static_cast<std::byte>(context);
    plane.symbols[i] = static_cast<std::byte>(symbol);
  }
  plane.model = RansContextModel::from_counts(counts);
  return plane;
}

ByteVector encode(const ContextPlane& plane, std::size_t count, Isa isa) {
  ByteVector stream(rans_capacity(count));
  RansScratch scratch;
  StreamWriter out(stream);
  ByteVector codes(rans_padded(count));
  for (std::size_t i = 0; i < count; ++i) codes[i] = plane.contexts[i] << 5 | plane.symbols[i];
  encode_rans_contexts(MutableByteSpan(codes).first(count), plane.model, scratch, out, isa);
  EXPECT_FALSE(out.failed());
  stream.resize(out.size());
  return stream;
}

TEST(RansContexts, RoundTripWithTheSameBytesOnEveryInstructionSet) {
  for (const std::size_t count : kCounts) {
    ContextPlane plane = make_context_plane(count);
    const ByteVector stream = encode(plane, count, Isa::scalar);
    for (const Isa isa : available_isas()) {
      SCOPED_TRACE(testing::Message() << count << " symbols on " << isa_name(isa));
      EXPECT_EQ(encode(plane, count, isa), stream);
      ByteVector decoded(rans_padded(count));
      ByteReader in(stream);
      const Status status = decode_rans_contexts(in, MutableByteSpan(plane.contexts).first(count),
                                                 MutableByteSpan(decoded).first(count), isa);
      ASSERT_TRUE(status) << status.error().message;
      EXPECT_TRUE(in.at_end());
      EXPECT_TRUE(std::equal(decoded.begin(), decoded.begin() + static_cast<std::ptrdiff_t>(count),
                             plane.symbols.begin()));
    }
  }
}

TEST(RansContexts, RefuseATruncatedStream) {
  constexpr std::size_t kCount = 5000;
  ContextPlane plane = make_context_plane(kCount);
  const ByteVector stream = encode(plane, kCount, Isa::scalar);
  ByteVector decoded(rans_padded(kCount));
  RansScratch scratch;
  for (const Isa isa : available_isas()) {
    for (std::size_t size = 0; size < stream.size(); ++size) {
      ByteReader in(ByteSpan(stream).first(size));
      EXPECT_FALSE(decode_rans_contexts(in, MutableByteSpan(plane.contexts).first(kCount),
                                        MutableByteSpan(decoded).first(kCount), isa));
    }
  }
}

}  // namespace
}  // namespace weightfs::codec
