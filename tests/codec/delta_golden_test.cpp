// Pins the bytes of the streams of deltas and integers, which a store holds for ever.
//
// After a deliberate change of what the encoder chooses (never of what a stream means):
// WEIGHTFS_WRITE_GOLDEN=1 codec_test --gtest_filter='DeltaGolden*' writes the files anew.
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "golden_blob.h"
#include "weightfs/codec/codec.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kBlockBytes = 6007;

struct Case {
  const char* name;
  Dtype dtype;
  CodecTag tag;
};

constexpr Case kCases[] = {{"delta_bf16", Dtype::bf16, CodecTag::delta_bf16},
                           {"delta_f16", Dtype::f16, CodecTag::delta_f16},
                           {"delta_f32", Dtype::f32, CodecTag::delta_f32},
                           {"delta_f64", Dtype::f64, CodecTag::delta_f64},
                           {"delta_q4_0", Dtype::q4_0, CodecTag::delta_ints},
                           {"delta_i32", Dtype::i32, CodecTag::delta_ints},
                           {"ints_i32", Dtype::i32, CodecTag::ints}};

// The same on every machine.
class Generator {
 public:
  std::uint32_t next() {
    state_ = state_ * 1664525U + 1013904223U;
    return state_ >> 8;
  }
  // Values of any sign, half as many from one exponent to the next below.
  std::uint64_t weight(unsigned bits, unsigned mantissa_bits) {
    const auto binades = static_cast<unsigned>(std::countr_zero(next() | 0x400));
    const std::uint64_t top = (std::uint64_t{1} << (bits - 2 - mantissa_bits)) - 3;
    const std::uint64_t mantissa = (std::uint64_t{next()} << 24 | next()) << 8;
    return (std::uint64_t{next() % 2} << (bits - 1)) | ((top - binades) << mantissa_bits) |
           (mantissa & ((std::uint64_t{1} << mantissa_bits) - 1));
  }

 private:
  std::uint32_t state_ = 1;
};

unsigned mantissa_bits_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::bf16:
      return 7;
    case Dtype::f16:
      return 10;
    case Dtype::f64:
      return 52;
    default:
      return 23;
  }
}

struct Pair {
  ByteVector raw = ByteVector(kBlockBytes);
  ByteVector base = ByteVector(kBlockBytes);
};

Pair make_pair(Dtype dtype) {
  const std::size_t bytes =
      is_float(dtype) || dtype == Dtype::i32 ? dtype_layout(dtype).unit_bytes : 1;
  Generator generator;
  Pair pair;
  for (std::size_t at = 0; at + bytes <= kBlockBytes; at += bytes) {
    std::uint64_t value = generator.next() % 32000;
    if (is_float(dtype))
      value = generator.weight(static_cast<unsigned>(8 * bytes), mantissa_bits_of(dtype));
    if (bytes == 1) value = (value % 7 + value % 5) << 3;
    std::memcpy(&pair.base[at], &value, bytes);
    value += generator.next() % 40 == 0 ? 400 : generator.next() % 4;
    std::memcpy(&pair.raw[at], &value, bytes);
  }
  return pair;
}

ByteVector encode(const Case& c, const Pair& pair) {
  EncodeOptions options = {.dtype = c.dtype, .base = pair.base, .base_dtype = c.dtype};
  if (c.tag == CodecTag::ints) options.base = {};
  Scratch scratch;
  const EncodedBlock block = encode_block(pair.raw, options, scratch);
  EXPECT_EQ(codec_name(block.tag), codec_name(c.tag));
  return testing::write_golden_blob(
      {.tag = block.tag, .block_bytes = kBlockBytes, .stream = block.bytes});
}

std::filesystem::path file_of(const Case& c) {
  return std::filesystem::path(WEIGHTFS_TEST_DATA) / "codec_delta" /
         (std::string(c.name) + ".blob");
}

ByteVector read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const ByteSpan span = bytes_of(bytes);
  return {span.begin(), span.end()};
}

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class DeltaGolden : public ::testing::TestWithParam<Case> {};

TEST_P(DeltaGolden, DecodesToItsBlock) {
  const Pair pair = make_pair(GetParam().dtype);
  if (std::getenv("WEIGHTFS_WRITE_GOLDEN") != nullptr) {
    const ByteVector written = encode(GetParam(), pair);
    std::ofstream(file_of(GetParam()), std::ios::binary) << text_of(written);
  }
  const ByteVector file = read_file(file_of(GetParam()));
  const auto blob = testing::parse_golden_blob(file);
  ASSERT_TRUE(blob.has_value());
  EXPECT_EQ(blob->tag, GetParam().tag);
  ByteVector decoded(kBlockBytes);
  Scratch scratch;
  const ByteSpan base = GetParam().tag == CodecTag::ints ? ByteSpan() : ByteSpan(pair.base);
  const Status status = decode_block(blob->tag, blob->stream, base, decoded, scratch);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(decoded, pair.raw);
}

INSTANTIATE_TEST_SUITE_P(Streams, DeltaGolden, ::testing::ValuesIn(kCases));

}  // namespace
}  // namespace weightfs::codec
