// Pins the bytes of the float codecs' streams: a stream that a store holds must be read for ever,
// and every instruction set must write the same one.
//
// After a deliberate change of what the encoder chooses (never of what a stream means):
// WEIGHTFS_WRITE_GOLDEN=1 codec_test --gtest_filter='Golden*' writes the files anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "adversarial_floats.h"
#include "float_codec.h"
#include "golden_blob.h"
#include "weightfs/codec/codec.h"
#include "zero_mask_codec.h"

namespace weightfs::codec {
namespace {

using testing::GoldenBlob;
using testing::make_block;
using testing::Pattern;

struct Case {
  const char* name;
  Dtype dtype;
  FloatKind kind;
  Pattern pattern;
  std::size_t size;
  FloatOptions options = {};
  bool zero_mask = false;
};

constexpr Case kCases[] = {
    {"bf16_plain", Dtype::bf16, FloatKind::bf16, Pattern::special, 1500},
    {"bf16_fine", Dtype::bf16, FloatKind::bf16, Pattern::gaussian, 1501, {.tier = Tier::cold}},
    {"bf16_cascade", Dtype::bf16, FloatKind::bf16, Pattern::gaussian, 1500, {.portable = true}},
    {"bf16_64_lanes", Dtype::bf16, FloatKind::bf16, Pattern::gaussian, 8400},
    {"f16", Dtype::f16, FloatKind::f16, Pattern::gaussian, 1500},
    {"f32", Dtype::f32, FloatKind::f32, Pattern::gaussian, 2000},
    {"f32_fine", Dtype::f32, FloatKind::f32, Pattern::gaussian, 2000, {.tier = Tier::cold}},
    {"f32_positive", Dtype::f32, FloatKind::f32, Pattern::positive, 2000},
    {"f32_truncated", Dtype::f32, FloatKind::f32, Pattern::truncated, 2000},
    {"f64", Dtype::f64, FloatKind::f64, Pattern::gaussian, 2100},
    {"f8_e4m3", Dtype::f8_e4m3, FloatKind::f8_e4m3, Pattern::gaussian, 1000},
    {"f8_e5m2", Dtype::f8_e5m2, FloatKind::f8_e5m2, Pattern::gaussian, 1000},
    {"f8_several_tables", Dtype::f8_e5m2, FloatKind::f8_e5m2, Pattern::rows, 17000},
    {"f8_128_lanes", Dtype::f8_e5m2, FloatKind::f8_e5m2, Pattern::sparse, 33000},
    {"zero_mask_bf16", Dtype::bf16, FloatKind::bf16, Pattern::sparse, 1501, {}, true},
    {"zero_mask_f32", Dtype::f32, FloatKind::f32, Pattern::sparse, 3003, {.portable = true}, true},
};

CodecTag tag_of(const Case& c, FloatKind kind) {
  if (c.zero_mask) return CodecTag::zero_mask;
  return static_cast<CodecTag>(static_cast<int>(CodecTag::bf16) + static_cast<int>(kind));
}

ByteVector encode(const Case& c, Isa isa) {
  const ByteVector raw = make_block(c.pattern, c.dtype, c.size);
  ByteVector stream(2 * c.size + 4096);
  FloatScratch floats;
  ZeroMaskScratch zero_mask;
  StreamWriter out(stream);
  FloatKind kind = c.kind;
  if (c.zero_mask) {
    encode_zero_mask(raw, kind, c.options, zero_mask, floats, out, isa);
  } else {
    kind = encode_floats(raw, kind, c.options, floats, out, isa);
  }
  EXPECT_FALSE(out.failed());
  return testing::write_golden_blob(
      {.tag = tag_of(c, kind), .block_bytes = c.size, .stream = out.view()});
}

std::filesystem::path file_of(const Case& c) {
  return std::filesystem::path(WEIGHTFS_TEST_DATA) / "codec" / (std::string(c.name) + ".blob");
}

std::uint32_t crc32(ByteSpan bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xEDB88320U & (0U - (crc & 1)));
  }
  return ~crc;
}

// What independent_reader.py must find too: lines of "<crc in hexadecimal>  <file>".
std::uint32_t listed_crc32(const Case& c) {
  std::ifstream in(file_of(c).parent_path() / "crc32.txt");
  std::uint32_t crc = 0;
  for (std::string name; in >> std::hex >> crc >> name;) {
    if (name == file_of(c).filename()) return crc;
  }
  return 0;
}

ByteVector read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const ByteSpan bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

class Golden : public ::testing::TestWithParam<Case> {};

TEST_P(Golden, StreamIsWrittenTheSameByEveryInstructionSet) {
  if (std::getenv("WEIGHTFS_WRITE_GOLDEN") != nullptr) {
    std::ofstream out(file_of(GetParam()), std::ios::binary);
    out << text_of(encode(GetParam(), Isa::scalar));
  }
  const ByteVector golden = read_file(file_of(GetParam()));
  for (const Isa isa : available_isas()) {
    EXPECT_EQ(encode(GetParam(), isa), golden) << isa_name(isa);
  }
}

TEST_P(Golden, StreamIsStillRead) {
  const ByteVector file = read_file(file_of(GetParam()));
  const auto blob = testing::parse_golden_blob(file);
  ASSERT_TRUE(blob);
  ByteVector out(blob->block_bytes);
  Scratch scratch;
  const Status status = decode_block(blob->tag, blob->stream, {}, out, scratch);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(out, make_block(GetParam().pattern, GetParam().dtype, GetParam().size));
  EXPECT_EQ(crc32(out), listed_crc32(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Codec, Golden, ::testing::ValuesIn(kCases),
                         [](const auto& suite) { return std::string(suite.param.name); });

}  // namespace
}  // namespace weightfs::codec
