// Blocks as functions of a base of another dtype: small, exact, and no stream that is not refused.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "adversarial_floats.h"
#include "derive.h"
#include "golden_blob.h"
#include "weightfs/codec/codec.h"

namespace weightfs::codec {
namespace {

using testing::make_block;
using testing::Pattern;

ByteVector applied(const Derivation& derivation, ByteSpan base, std::size_t begin,
                   std::size_t size) {
  ByteVector result(size);
  derivation.apply(base.subspan(begin, source_bytes(derivation.from, derivation.to, size)), result);
  return result;
}

EncodeOptions options_of(const Derivation& derivation, ByteSpan base, std::size_t begin = 0) {
  return {.dtype = derivation.to,
          .base = base,
          .base_dtype = derivation.from,
          .base_offset_bytes = begin};
}

// Encodes, decodes, compares; the encoded block, whose bytes are a copy.
struct Coded {
  EncodedBlock block;
  ByteVector stream;
};
Coded round_trip(ByteSpan raw, const EncodeOptions& options) {
  Scratch scratch;
  Coded coded{.block = encode_block(raw, options, scratch), .stream = {}};
  coded.stream.assign(coded.block.bytes.begin(), coded.block.bytes.end());
  ByteVector back(raw.size(), std::byte{0xAA});
  const ByteSpan base = coded.block.uses_base ? options.base : ByteSpan();
  const Status status = decode_block(coded.block.tag, coded.stream, base, back, scratch);
  EXPECT_TRUE(status) << (status ? "" : status.error().message);
  EXPECT_TRUE(std::ranges::equal(back, raw));
  EXPECT_LE(coded.stream.size(), raw.size());
  return coded;
}

void flip_some(ByteVector& bytes, std::size_t count) {
  std::mt19937 random(5);
  for (std::size_t i = 0; i < count; ++i) bytes[random() % bytes.size()] ^= std::byte{0x40};
}

class Derived : public ::testing::TestWithParam<Derivation> {
 protected:
  // Elements of `to` in units, and the base's bytes for them.
  std::size_t block_bytes() const { return 1920 * dtype_layout(GetParam().to).unit_bytes; }
  std::size_t base_bytes() const {
    return source_bytes(GetParam().from, GetParam().to, block_bytes());
  }
};

TEST_P(Derived, TakesFewBytesWhereTheFunctionGivesTheBlock) {
  const ByteVector base = make_block(Pattern::gaussian, GetParam().from, base_bytes());
  const Coded coded =
      round_trip(applied(GetParam(), base, 0, block_bytes()), options_of(GetParam(), base));
  EXPECT_EQ(coded.block.tag, CodecTag::derived);
  EXPECT_EQ(coded.stream,
            (ByteVector{std::byte{GetParam().number}, std::byte{0}, std::byte{0}}));  // persisted
}

TEST_P(Derived, CodesExceptionsInLittleSpace) {
  const ByteVector base = make_block(Pattern::gaussian, GetParam().from, base_bytes());
  ByteVector raw = applied(GetParam(), base, 0, block_bytes());
  flip_some(raw, 3);
  const Coded coded = round_trip(raw, options_of(GetParam(), base));
  EXPECT_EQ(coded.block.tag, CodecTag::derived);
  EXPECT_LT(coded.stream.size(), raw.size() / 5);
}

TEST_P(Derived, ComesFromAPieceOfALongerBase) {
  const ByteVector base = make_block(Pattern::gaussian, GetParam().from, 3 * base_bytes());
  const std::size_t begin = 2 * base_bytes();
  const Coded coded = round_trip(applied(GetParam(), base, begin, block_bytes()),
                                 options_of(GetParam(), base, begin));
  EXPECT_EQ(coded.block.tag, CodecTag::derived);
  EXPECT_LT(coded.stream.size(), 8u);
}

// The law, over adversarial values and lengths, whatever the base.
TEST_P(Derived, ComesBackExactly) {
  const std::size_t unit = dtype_layout(GetParam().to).unit_bytes;
  for (const Pattern pattern : testing::kPatterns) {
    for (const std::size_t units : {1u, 2u, 31u, 64u, 777u, 3000u}) {
      const std::size_t size = units * unit;
      const ByteVector base =
          make_block(pattern, GetParam().from, source_bytes(GetParam().from, GetParam().to, size));
      ByteVector raw = applied(GetParam(), base, 0, size);
      round_trip(raw, options_of(GetParam(), base));
      flip_some(raw, 20);
      round_trip(raw, options_of(GetParam(), base));
      round_trip(make_block(Pattern::random, Dtype::f32, size), options_of(GetParam(), base));
      round_trip(raw, options_of(GetParam(), ByteSpan(base).first(base.size() - 1)));
      round_trip(raw, options_of(GetParam(), base, 1));
      if (size > 1) round_trip(ByteSpan(raw).first(size - 1), options_of(GetParam(), base));
    }
  }
}

TEST_P(Derived, IsNotChosenForAnUnrelatedBase) {
  const ByteVector base = make_block(Pattern::gaussian, GetParam().from, base_bytes());
  const ByteVector other = make_block(Pattern::random, GetParam().from, base_bytes());
  const Coded coded =
      round_trip(applied(GetParam(), other, 0, block_bytes()), options_of(GetParam(), base));
  EXPECT_FALSE(coded.block.uses_base);
}

TEST_P(Derived, RefusesDamagedStreams) {
  const ByteVector base = make_block(Pattern::gaussian, GetParam().from, base_bytes());
  ByteVector raw = applied(GetParam(), base, 0, block_bytes());
  flip_some(raw, 3);
  const ByteVector stream = round_trip(raw, options_of(GetParam(), base)).stream;
  Scratch scratch;
  ByteVector out(raw.size());
  const auto decode = [&](ByteSpan bytes, ByteSpan of) {
    return decode_block(CodecTag::derived, bytes, of, out, scratch).has_value();
  };
  EXPECT_TRUE(decode(stream, base));
  EXPECT_FALSE(decode(stream, ByteSpan(base).first(base.size() - 1)));
  EXPECT_FALSE(decode(stream, {}));
  for (std::size_t size = 0; size < std::min<std::size_t>(stream.size(), 300); ++size) {
    EXPECT_FALSE(decode(ByteSpan(stream).first(size), base)) << size;
  }
  ByteVector changed = stream;
  changed.push_back(std::byte{0});
  EXPECT_FALSE(decode(changed, base));
  changed = stream;
  changed[0] = std::byte{0};
  EXPECT_FALSE(decode(changed, base));
  changed = stream;
  changed[1] = std::byte{1};  // one byte behind its end
  EXPECT_FALSE(decode(changed, base));
  changed = stream;
  changed[2] = std::byte{52};  // no delta
  EXPECT_FALSE(decode(changed, base));
  const ByteVector far = {std::byte{GetParam().number},
                          std::byte{0xFF},
                          std::byte{0xFF},
                          std::byte{0xFF},
                          std::byte{0xFF},
                          std::byte{0xFF},
                          std::byte{0xFF},
                          std::byte{0xFF},
                          std::byte{0xFF},
                          std::byte{0xFF},
                          std::byte{1},
                          std::byte{0}};
  EXPECT_FALSE(decode(far, base));
  for (std::size_t i = 0; i < std::min<std::size_t>(stream.size(), 2000); ++i) {
    changed = stream;
    changed[i] ^= std::byte{0x11};
    (void)decode(changed, base);  // under the sanitizers: nothing is read past an end
  }
}

// What a store holds for ever: tests/data/codec_delta/derived_<number>.blob, of which the base and
// three bytes that differ are made here, the same on every machine.
TEST_P(Derived, StreamIsStillRead) {
  ByteVector base(base_bytes());
  std::uint32_t state = 1;
  const std::size_t element = dtype_layout(GetParam().from).unit_bytes;
  for (std::size_t i = 0; i < base.size(); ++i) {
    state = state * 1664525U + 1013904223U;
    const bool top = i % element == element - 1;  // small values of either sign
    base[i] =
        static_cast<std::byte>(top ? (state >> 24 & 0x80) | 0x2C | (state >> 20 & 3) : state >> 24);
  }
  ByteVector raw = applied(GetParam(), base, 0, block_bytes());
  for (const std::size_t at : {17u, 100u, 250u}) raw[at] ^= std::byte{4};
  const auto file = std::filesystem::path(WEIGHTFS_TEST_DATA) / "codec_delta" /
                    ("derived_" + std::to_string(GetParam().number) + ".blob");
  if (std::getenv("WEIGHTFS_WRITE_GOLDEN") != nullptr) {
    const ByteVector stream = round_trip(raw, options_of(GetParam(), base)).stream;
    const ByteVector written = testing::write_golden_blob(
        {.tag = CodecTag::derived, .block_bytes = raw.size(), .stream = stream});
    std::ofstream(file, std::ios::binary) << text_of(written);
  }
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const auto blob = testing::parse_golden_blob(bytes_of(bytes));
  ASSERT_TRUE(blob);
  EXPECT_EQ(static_cast<int>(blob->tag), 64);
  ASSERT_EQ(blob->stream[0], std::byte{GetParam().number});
  ByteVector out(blob->block_bytes);
  Scratch scratch;
  const Status status = decode_block(blob->tag, blob->stream, base, out, scratch);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(out, raw);
}

std::string name_of(const ::testing::TestParamInfo<Derivation>& suite) {
  return "Number" + std::to_string(suite.param.number);
}

INSTANTIATE_TEST_SUITE_P(Codec, Derived,
                         ::testing::ValuesIn(derivations().begin(), derivations().end()), name_of);

// Weights that were trained on in fp32 after they were rounded: the lower halves, and what moved.
TEST(DerivedCodec, CodesTheLowerHalfOfAMasterWeight) {
  const ByteVector master = make_block(Pattern::gaussian, Dtype::f32, 65536);
  ByteVector rounded(32768);
  round_to_bf16(master, rounded);
  const EncodeOptions options = {.dtype = Dtype::f32, .base = rounded, .base_dtype = Dtype::bf16};
  const Coded coded = round_trip(master, options);
  EXPECT_EQ(coded.block.tag, CodecTag::derived);
  EXPECT_LT(coded.stream.size(), 65536 * 0.52);
}

}  // namespace
}  // namespace weightfs::codec
