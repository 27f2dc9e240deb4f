#include <gtest/gtest.h>

#include "file_maker.h"

namespace weightfs::format {
namespace {

using testing::Bytes;
using testing::detect;

struct Info {
  std::string name;
  std::vector<std::uint64_t> dimensions;  // innermost first
  std::uint32_t type;
  std::uint64_t offset;
};

Bytes& string(Bytes& out, std::string_view text) {
  return out.u64(text.size()).text(text);
}

// A version 3 file whose alignment is `alignment`, with `data_bytes` behind the header.
std::string gguf(const std::vector<Info>& infos, std::uint32_t alignment, std::size_t data_bytes) {
  Bytes out;
  out.text("GGUF").u32(3).u64(infos.size()).u64(2);
  string(out, "general.alignment").u32(4).u32(alignment);
  string(out, "tokens").u32(9).u32(8).u64(2);
  string(out, "a");
  string(out, "bc");
  for (const Info& info : infos) {
    string(out, info.name).u32(static_cast<std::uint32_t>(info.dimensions.size()));
    for (const std::uint64_t dimension : info.dimensions) out.u64(dimension);
    out.u32(info.type).u64(info.offset);
  }
  return out.align(alignment).zeros(data_bytes).str();
}

TEST(Gguf, PlacesTensorsByTheAlignmentThatItSays) {
  const std::string file = gguf({{"w", {32, 3}, 2, 0}, {"b", {4}, 0, 64}}, 64, 80);
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 2U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].shape, (std::vector<std::uint64_t>{3, 32}));
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::q4_0);
  EXPECT_EQ(layout.tensors[0].length_bytes, 54U);
  EXPECT_EQ(layout.tensors[0].offset_bytes, file.size() - 80);
  EXPECT_EQ(layout.tensors[1].offset_bytes, file.size() - 16);
  EXPECT_EQ(layout.metadata[2], std::pair(std::string("tokens"), std::string("2 elements")));
}

TEST(Gguf, KnowsEveryBlockTypeByItsNumber) {
  const std::pair<std::uint32_t, Dtype> types[] = {
      {0, Dtype::f32},      {1, Dtype::f16},     {2, Dtype::q4_0},     {3, Dtype::q4_1},
      {6, Dtype::q5_0},     {7, Dtype::q5_1},    {8, Dtype::q8_0},     {9, Dtype::q8_1},
      {10, Dtype::q2_k},    {11, Dtype::q3_k},   {12, Dtype::q4_k},    {13, Dtype::q5_k},
      {14, Dtype::q6_k},    {15, Dtype::q8_k},   {16, Dtype::iq2_xxs}, {17, Dtype::iq2_xs},
      {18, Dtype::iq3_xxs}, {19, Dtype::iq1_s},  {20, Dtype::iq4_nl},  {21, Dtype::iq3_s},
      {22, Dtype::iq2_s},   {23, Dtype::iq4_xs}, {24, Dtype::i8},      {25, Dtype::i16},
      {26, Dtype::i32},     {27, Dtype::i64},    {28, Dtype::f64},     {29, Dtype::iq1_m},
      {30, Dtype::bf16},    {34, Dtype::tq1_0},  {35, Dtype::tq2_0},   {39, Dtype::mxfp4},
      {40, Dtype::nvfp4},   {41, Dtype::q1_0},
  };
  for (const auto& [number, dtype] : types) {
    const std::uint64_t bytes = dtype_bytes(dtype, 256).value_or(0);
    const Layout layout = detect(gguf({{"w", {256}, number, 0}}, 32, bytes));
    ASSERT_EQ(layout.tensors.size(), 1U) << number << ": " << layout.opaque_reason;
    EXPECT_EQ(layout.tensors[0].dtype, dtype) << number;
  }
}

TEST(Gguf, RefusesATensorPastTheEnd) {
  const Layout layout = detect(gguf({{"w", {32}, 0, 0}}, 32, 127));
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_EQ(layout.opaque_reason, "gguf: a tensor reaches past the end of the file");
}

TEST(Gguf, RefusesTensorsThatOverlap) {
  const Layout layout = detect(gguf({{"a", {32}, 0, 0}, {"b", {32}, 0, 64}}, 32, 256));
  EXPECT_EQ(layout.opaque_reason, "gguf: tensors overlap");
}

TEST(Gguf, RefusesRowsThatAreNoWholeBlocks) {
  EXPECT_FALSE(detect(gguf({{"a", {31}, 2, 0}}, 32, 256)).opaque_reason.empty());
}

TEST(Gguf, RefusesCountsThatNoFileCanHave) {
  const std::string file = Bytes().text("GGUF").u32(3).u64(~0ULL).u64(~0ULL).zeros(64).str();
  EXPECT_FALSE(detect(file).opaque_reason.empty());
}

// hparams: vocabulary, embedding, mult, heads, layers, rot, type.
Bytes llama_header(std::uint32_t mark, std::uint32_t version) {
  Bytes out;
  out.u32(mark);
  if (version != 0) out.u32(version);
  return out.u32(2).u32(32).u32(1).u32(1).u32(1).u32(1).u32(0);
}

void add_tensor(Bytes& out, std::string_view name, std::uint32_t type, std::uint32_t columns) {
  out.u32(2).u32(static_cast<std::uint32_t>(name.size())).u32(type).u32(columns).u32(2).text(name);
}

TEST(GgmlLegacy, AlignsTheTensorsOfGgjtFiles) {
  Bytes out = llama_header(0x67676a74, 3);
  out.u32(1).text("a").u32(0).u32(2).text("bc").u32(0);
  add_tensor(out, "tok.weight", 0, 3);
  const std::size_t begin = out.align(32).size();
  const Layout layout = detect(out.zeros(24).str());
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].offset_bytes, begin);
  EXPECT_EQ(layout.tensors[0].shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(layout.metadata[0].second, "llama.cpp");
}

TEST(GgmlLegacy, KnowsTheWideBlocksOfOldFiles) {
  Bytes out = llama_header(0x67676d6c, 0);
  out.u32(1).text("a").u32(2).text("bc");
  add_tensor(out, "w", 2, 32);
  const Layout layout = detect(out.zeros(40).str());
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].note, "20-byte blocks");
  EXPECT_EQ(layout.tensors[0].length_bytes, 40U);
}

TEST(GgmlLegacy, RefusesAFileThatEndsInTheMiddleOfATensor) {
  Bytes out = llama_header(0x67676d6c, 0);
  out.u32(1).text("a").u32(2).text("bc");
  add_tensor(out, "w", 0, 32);
  EXPECT_EQ(detect(out.zeros(255).str()).opaque_reason,
            "ggml: no known dialect ends where the file does");
}

TEST(Gguf, GivesATypeThatItDoesNotKnowTheRoomUpToTheNextTensor) {
  const std::string file = gguf({{"new", {256}, 139, 0}, {"w", {4}, 0, 128}}, 32, 144);
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 2U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::opaque);
  EXPECT_EQ(layout.tensors[0].length_bytes, 128U);
  EXPECT_EQ(layout.tensors[0].note, "of ggml type 139");
  EXPECT_EQ(layout.tensors[1].dtype, Dtype::f32);
}

TEST(Gguf, ReadsTheHeadersOfBigEndianFiles) {
  const auto big32 = [](std::uint32_t value) { return byte_swap(value); };
  const auto big64 = [](std::uint64_t value) { return byte_swap(value); };
  Bytes out;
  out.text("GGUF").u32(big32(3)).u64(big64(1)).u64(big64(1));
  out.u64(big64(1)).text("k").u32(big32(4)).u32(big32(7));
  out.u64(big64(1)).text("w").u32(big32(1)).u64(big64(2)).u32(big32(0)).u64(0);
  const Layout layout = detect(out.align(32).zeros(8).str());
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].note, "big-endian");
  EXPECT_EQ(layout.tensors[0].length_bytes, 8U);
  EXPECT_EQ(layout.metadata[1], std::pair(std::string("k"), std::string("7")));
  EXPECT_TRUE(testing::typed_extents(layout).empty());
}

}  // namespace
}  // namespace weightfs::format
