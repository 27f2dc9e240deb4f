#include "ints_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ggml_columns.h"
#include "weightfs/codec/codec.h"

namespace weightfs::codec {
namespace {

constexpr Dtype kDtypes[] = {
    Dtype::opaque, Dtype::i64,    Dtype::i32,   Dtype::i16,   Dtype::i8,    Dtype::i4,
    Dtype::u64,    Dtype::u32,    Dtype::u16,   Dtype::u8,    Dtype::u4,    Dtype::u1,
    Dtype::qint8,  Dtype::q4_0,   Dtype::q4_1,  Dtype::q5_0,  Dtype::q5_1,  Dtype::q8_0,
    Dtype::q8_1,   Dtype::q2_k,   Dtype::q3_k,  Dtype::q4_k,  Dtype::q5_k,  Dtype::q6_k,
    Dtype::q8_k,   Dtype::iq4_nl, Dtype::iq2_s, Dtype::mxfp4, Dtype::nvfp4, Dtype::boolean};
constexpr std::size_t kSizes[] = {0, 1, 17, 291, 5003};

enum class Kind { random, constant, bell, ramp };
constexpr Kind kKinds[] = {Kind::random, Kind::constant, Kind::bell, Kind::ramp};

ByteVector make_bytes(Kind kind, std::size_t size) {
  std::mt19937 random(static_cast<unsigned>(size) + static_cast<unsigned>(kind));
  std::normal_distribution<float> normal(0, 30);
  ByteVector raw(size);
  for (std::size_t i = 0; i < size; ++i) {
    unsigned value = 0xA7;
    if (kind == Kind::random) value = static_cast<unsigned>(random());
    if (kind == Kind::bell) value = static_cast<unsigned>(static_cast<int>(normal(random)));
    if (kind == Kind::ramp) value = static_cast<unsigned>(i / 300 >> (i % 4 * 8));
    raw[i] = static_cast<std::byte>(value);
  }
  return raw;
}

ByteVector encode(const ByteVector& raw, Dtype dtype, Isa isa) {
  IntsPlan plan = plan_of_dtype(dtype, raw);
  fit_plan(raw, plan);
  IntsScratch scratch;
  ByteVector stream(2 * raw.size() + 262144);
  StreamWriter out(stream);
  encode_ints(raw, plan, {}, scratch, out, isa);
  EXPECT_FALSE(out.failed());
  stream.resize(out.size());
  stream.shrink_to_fit();  // so that AddressSanitizer sees a read past the end
  return stream;
}

Result<ByteVector> decode(ByteSpan stream, std::size_t size, Isa isa) {
  IntsScratch scratch;
  ByteVector out(size);
  ByteReader in(stream);
  WEIGHTFS_TRY(decode_ints(in, out, scratch, isa));
  if (!in.at_end()) return fail(Code::corrupt, "bytes are left");
  return out;
}

TEST(Ints, RoundTripAnyBytesOfEveryDtypeWithTheSameStreamOnEveryInstructionSet) {
  for (const Dtype dtype : kDtypes) {
    for (const Kind kind : kKinds) {
      for (const std::size_t size : kSizes) {
        SCOPED_TRACE(testing::Message() << dtype_name(dtype) << ", kind " << static_cast<int>(kind)
                                        << ", size " << size);
        const ByteVector raw = make_bytes(kind, size);
        const ByteVector stream = encode(raw, dtype, Isa::scalar);
        for (const Isa isa : available_isas()) {
          ASSERT_EQ(encode(raw, dtype, isa), stream) << isa_name(isa);
          const Result<ByteVector> decoded = decode(stream, size, isa);
          ASSERT_TRUE(decoded) << decoded.error().message;
          ASSERT_EQ(*decoded, raw) << isa_name(isa);
        }
      }
    }
  }
}

TEST(Ints, NeverMakeABlockLarger) {
  Scratch scratch;
  for (const Dtype dtype : kDtypes) {
    for (const Kind kind : kKinds) {
      const ByteVector raw = make_bytes(kind, 20000);
      EXPECT_LE(encode_block(raw, {.dtype = dtype}, scratch).bytes.size(), raw.size());
    }
  }
}

TEST(Ints, TakeABellOfBytesCloseToItsEntropy) {
  // A deviation of 30 has log2(30 sqrt(2 pi e)) = 6.95 bits; truncation towards zero a little less.
  const ByteVector raw = make_bytes(Kind::bell, 262144);
  const auto ratio = static_cast<double>(encode(raw, Dtype::i8, active_isa()).size()) / 262144;
  EXPECT_LT(ratio, 0.89);
}

TEST(Ints, StoreTheUpperBytesOfSmallIdsInNextToNothing) {
  std::mt19937 random(1);
  ByteVector raw(80000);
  for (std::size_t i = 0; i < raw.size(); i += 8) {
    store_unaligned(&raw[i], std::uint64_t{random() % 32000});
  }
  EXPECT_LT(encode(raw, Dtype::i64, active_isa()).size(), raw.size() / 4);
}

TEST(Ints, FindTheStrideOfOpaqueRecords) {
  std::mt19937 random(1);
  ByteVector raw(60000);
  for (std::size_t i = 0; i + 6 <= raw.size(); i += 6) {
    raw[i] = static_cast<std::byte>(random());
    raw[i + 5] = static_cast<std::byte>(200 + random() % 3);
  }
  EXPECT_EQ(plan_of_dtype(Dtype::opaque, raw).unit_bytes, 6U);
  EXPECT_LT(encode(raw, Dtype::opaque, active_isa()).size(), raw.size() / 4);
}

TEST(Ints, RefuseATruncatedStream) {
  const ByteVector raw = make_bytes(Kind::bell, 3001);
  for (const Dtype dtype : {Dtype::q4_0, Dtype::i16, Dtype::i8}) {
    const ByteVector stream = encode(raw, dtype, Isa::scalar);
    for (std::size_t size = 0; size < stream.size(); ++size) {
      const ByteVector cut(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(decode(cut, raw.size(), active_isa())) << size;
    }
  }
}

TEST(Ints, DecodeOrRefuseAStreamWithAnyByteChanged) {
  const ByteVector raw = make_bytes(Kind::bell, 3001);
  for (const Dtype dtype : {Dtype::q4_k, Dtype::i32}) {
    const ByteVector stream = encode(raw, dtype, Isa::scalar);
    std::size_t refused = 0;
    for (std::size_t i = 0; i < stream.size(); ++i) {
      ByteVector damaged = stream;
      damaged[i] ^= std::byte{0x91};
      refused += decode(damaged, raw.size(), active_isa()) ? 0 : 1;
    }
    EXPECT_GT(refused, 4U);
  }
}

TEST(GgmlColumns, AddUpToTheirUnits) {
  for (const Dtype dtype : kDtypes) {
    std::uint32_t bytes = 0;
    for (const Column& column : ggml_columns(dtype)) bytes += column.bytes;
    if (bytes == 0) continue;
    EXPECT_EQ(bytes, dtype_layout(dtype).unit_bytes) << dtype_name(dtype);
  }
}

}  // namespace
}  // namespace weightfs::codec
