#include "weightfs/similar/sketch.h"

#include <gtest/gtest.h>

#include <random>

namespace weightfs::similar {
namespace {

std::vector<float> make_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.05F);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

ByteVector as_f32(const std::vector<float>& values) {
  const ByteSpan bytes = bytes_of_elements(std::span<const float>(values));
  return {bytes.begin(), bytes.end()};
}

ByteVector as_f64(const std::vector<float>& values) {
  const std::vector<double> wide(values.begin(), values.end());
  const ByteSpan bytes = bytes_of_elements(std::span<const double>(wide));
  return {bytes.begin(), bytes.end()};
}

// Rounded down, as sketches do.
ByteVector as_bf16(const std::vector<float>& values) {
  ByteVector raw(2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    store_unaligned(&raw[2 * i], static_cast<std::uint16_t>(bits >> 16));
  }
  return raw;
}

TensorDescription describe(std::string_view name, Dtype dtype, ByteSpan bytes) {
  return {.name = name,
          .dtype = dtype,
          .shape = {bytes.size() / dtype_layout(dtype).unit_bytes},
          .length_bytes = bytes.size()};
}

TensorSketch sketch(std::string_view name, Dtype dtype, ByteSpan bytes) {
  return sketch_tensor(describe(name, dtype, bytes), bytes).value();
}

TEST(Sketch, IsTheSameWhicheverWayTheBlocksCome) {
  const ByteVector raw = as_f32(make_values(100'003, 1));
  const TensorDescription description = describe("w", Dtype::f32, raw);
  SketchBuilder builder(description);
  const std::size_t cut = 262'144;
  builder.add(cut, ByteSpan(raw).subspan(cut));
  EXPECT_FALSE(builder.finish()) << "the first block is missing";
  builder.add(0, ByteSpan(raw).first(cut));
  EXPECT_EQ(builder.finish(), sketch_tensor(description, raw));
}

TEST(Sketch, OfACastLiesCloseToItsOrigin) {
  const std::vector<float> values = make_values(5000, 2);
  const TensorSketch origin = sketch("w", Dtype::f32, as_f32(values));
  EXPECT_EQ(sketch("w", Dtype::bf16, as_bf16(values)).samples, origin.samples);
  EXPECT_EQ(sketch("w", Dtype::f64, as_f64(values)).samples, origin.samples);
}

TEST(Sketch, ReadsHalvesOnTheScaleOfSingles) {
  // 1, -2, the largest, the smallest denormal, infinity, and a NaN.
  const std::vector<std::uint16_t> halves = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x7C00, 0x7E00};
  const std::vector<std::uint16_t> expected = {0x3F80, 0xC000, 0x477F, 0x3380, 0x7F80, 0x7FC0};
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const ByteSpan raw = bytes_of_elements(std::span(halves).subspan(i, 1));
    EXPECT_EQ(sketch("w", Dtype::f16, raw).samples[0], expected[i]);
  }
}

TEST(Sketch, TellsUnrelatedTensorsApart) {
  const std::vector<float> values = make_values(5000, 3);
  std::vector<float> tuned = values;
  const std::vector<float> noise = make_values(5000, 4);
  for (std::size_t i = 0; i < tuned.size(); ++i) tuned[i] += 0.03F * noise[i];
  const TensorSketch origin = sketch("w", Dtype::f32, as_f32(values));
  EXPECT_LT(sketch_distance_bits(origin, sketch("v", Dtype::f32, as_f32(tuned))), 5);
  EXPECT_GT(sketch_distance_bits(origin, sketch("v", Dtype::f32, as_f32(noise))), 9);
}

TEST(Sketch, IgnoresWhatContainersAddToNamesAndShapes) {
  const ByteVector raw = as_f32(make_values(600, 5));
  TensorDescription description = describe("model.layers.0.weight", Dtype::f32, raw);
  description.shape = {20, 30};
  const TensorSketch plain = sketch_tensor(description, raw).value();
  description.name = "module.model.layers.0.weight";
  description.shape = {1, 30, 20};
  EXPECT_EQ(sketch_tensor(description, raw).value(), plain);
  description.name = "model.layers.1.weight";
  EXPECT_NE(sketch_tensor(description, raw).value(), plain);
}

TEST(Sketch, OfATensorWithoutElementsIsNothing) {
  EXPECT_FALSE(
      sketch_tensor({.name = "w", .dtype = Dtype::f32, .shape = {0}, .length_bytes = 0}, {}));
}

TEST(Sketch, OfOneElementRepeatsIt) {
  const ByteVector raw = as_f32({1.5F});
  for (const std::uint16_t sample : sketch("w", Dtype::f32, raw).samples) EXPECT_EQ(sample, 0x3FC0);
}

TEST(Sketch, ComesBackFromItsBytes) {
  const TensorSketch origin = sketch("w", Dtype::f32, as_f32(make_values(777, 6)));
  const ByteVector bytes = origin.serialize();
  ASSERT_EQ(bytes.size(), TensorSketch::kEncodedBytes);
  EXPECT_EQ(TensorSketch::parse(bytes).value(), origin);
}

TEST(Sketch, KeepsItsPersistedForm) {
  const ByteVector bytes = sketch("w", Dtype::bf16, as_bf16(make_values(300, 7))).serialize();
  EXPECT_EQ(to_hex(ByteSpan(bytes).first(26)),
            "01045802000000000000293e19def5e8eeac"
            "9a0c386353cf7e3a");
  EXPECT_EQ(to_hex(ByteSpan(bytes).last(8)), "ae3d88bda13bc93c");
}

TEST(Sketch, RefusesDamagedBytes) {
  ByteVector bytes = sketch("w", Dtype::f32, as_f32(make_values(777, 8))).serialize();
  EXPECT_EQ(TensorSketch::parse(ByteSpan(bytes).first(100)).error().code, Code::corrupt);
  bytes[1] = std::byte{255};
  EXPECT_EQ(TensorSketch::parse(bytes).error().code, Code::corrupt);
  bytes[0] = std::byte{2};
  EXPECT_EQ(TensorSketch::parse(bytes).error().code, Code::newer_version);
}

}  // namespace
}  // namespace weightfs::similar
