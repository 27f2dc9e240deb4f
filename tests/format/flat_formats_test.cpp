// Formats that are little more than their floats, the guess for files without a format, and the
// order in which parsers are asked.
#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "file_maker.h"

namespace weightfs::format {
namespace {

using testing::Bytes;
using testing::detect;

std::string floats(std::size_t count) {
  std::mt19937 random(7);
  std::normal_distribution<float> weights(0, 0.05F);
  Bytes out;
  for (std::size_t i = 0; i < count; ++i) out.u32(std::bit_cast<std::uint32_t>(weights(random)));
  return out.str();
}

std::string bfloats(std::size_t count) {
  const std::string wide = floats(count);
  std::string narrow;
  for (std::size_t i = 0; i < count; ++i) narrow.append(wide, 4 * i + 2, 2);
  return narrow;
}

std::string noise(std::size_t count) {
  std::mt19937 random(7);
  std::string out(count, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

// dim 4, hidden 6, 2 layers, 2 heads, 1 key-value head, 5 tokens, 8 positions.
std::string llama2c(std::int32_t vocabulary) {
  Bytes out;
  for (const std::int32_t number : {4, 6, 2, 2, 1, vocabulary, 8}) {
    out.u32(static_cast<std::uint32_t>(number));
  }
  const std::size_t layers = 2 * (4 + 16 + 8 + 8 + 16 + 4 + 24 + 24 + 24);
  const std::size_t classifier = vocabulary < 0 ? 20 : 0;
  return out.zeros(4 * (20 + layers + 4 + 8 + 8 + classifier)).str();
}

TEST(Llama2c, NamesTheTensorsOfACheckpoint) {
  const Layout layout = detect(llama2c(5));
  EXPECT_EQ(layout.format, "llama2c") << layout.opaque_reason;
  ASSERT_EQ(layout.tensors.size(), 13U);
  EXPECT_EQ(testing::find_tensor(layout, "wk")->shape, (std::vector<std::uint64_t>{2, 2, 4}));
}

TEST(Llama2c, HasAClassifierWhereTheVocabularyIsNegative) {
  EXPECT_NE(testing::find_tensor(detect(llama2c(-5)), "wcls"), nullptr);
}

TEST(Llama2c, IsNotSeenInAFileOfAnotherSize) {
  EXPECT_NE(detect(llama2c(5) + "1234").format, "llama2c");
}

TEST(Darknet, TakesTheFloatsBehindTheHeader) {
  const std::string file = Bytes().u32(0).u32(2).u32(5).u64(1000).text(floats(2000)).str();
  const Layout layout = detect(file, "yolo.weights");
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.format, "darknet");
  EXPECT_EQ(layout.tensors[0].offset_bytes, 20U);
  EXPECT_EQ(layout.tensors[0].shape, (std::vector<std::uint64_t>{2000}));
}

TEST(Darknet, IsNotSeenInNoise) {
  const std::string file = Bytes().u32(0).u32(2).u32(5).u64(1000).text(noise(8000)).str();
  EXPECT_EQ(detect(file, "yolo.weights").format, "opaque");
}

TEST(Tesseract, CutsBetweenComponents) {
  Bytes out;
  out.u32(24);
  for (int i = 0; i < 24; ++i) out.i64(i == 17 ? 196 : i == 23 ? 1196 : -1);
  const Layout layout = detect(out.zeros(1005).str());
  EXPECT_EQ(layout.format, "tesseract") << layout.opaque_reason;
  ASSERT_EQ(layout.extents.size(), 3U);
  EXPECT_EQ(layout.extents[1].length_bytes, 1000U);
  EXPECT_EQ(layout.metadata[0], std::pair(std::string("lstm"), std::string("1000 bytes")));
}

TEST(Guess, KnowsTheWidthOfFloats) {
  const Layout wide = detect(floats(100'000));
  ASSERT_EQ(wide.extents.size(), 1U);
  EXPECT_EQ(wide.extents[0].dtype, Dtype::guessed_32);
  EXPECT_EQ(wide.format, "guess");
  EXPECT_EQ(detect(bfloats(100'000)).extents[0].dtype, Dtype::guessed_16);
}

TEST(Guess, FindsWhereNumbersStart) {
  const Layout layout = detect("abc" + floats(100'000));
  ASSERT_EQ(layout.extents.size(), 2U);
  EXPECT_EQ(layout.extents[1].offset_bytes, 3U);
  EXPECT_EQ(layout.extents[1].length_bytes, 400'000U);
}

TEST(Guess, SeesNothingInNoiseAndText) {
  EXPECT_EQ(detect(noise(1 << 20)).opaque_reason, "no parser knows this file");
  std::string text;
  while (text.size() < (1 << 20)) text += "weights " + std::to_string(text.size() * 7919) + "\n";
  EXPECT_EQ(detect(text).opaque_reason, "no parser knows this file");
}

TEST(Registry, NeverFails) {
  EXPECT_TRUE(detect("").extents.empty());
  EXPECT_EQ(detect("x").extents.size(), 1U);
}

class BrokenSource final : public ByteSource {
 public:
  std::uint64_t size_bytes() const override { return 1 << 20; }
  Status read_at(std::uint64_t, MutableByteSpan) const override {
    return fail(Code::io, "the disk is broken");
  }
};

TEST(Registry, GivesAnOpaqueLayoutWhereTheSourceCannotBeRead) {
  const Layout layout = detect_layout(BrokenSource(), "model.safetensors");
  EXPECT_EQ(layout.opaque_reason, "the disk is broken");
  EXPECT_TRUE(validated(layout, 1 << 20));
}

TEST(Registry, DoesNotGuessWhereAParserWasSure) {
  const std::string file = Bytes().text("GGUF").u32(3).text(floats(100'000)).str();
  const Layout layout = detect(file);
  EXPECT_EQ(layout.format, "opaque");
  EXPECT_EQ(layout.opaque_reason.substr(0, 4), "gguf");
}

}  // namespace
}  // namespace weightfs::format
