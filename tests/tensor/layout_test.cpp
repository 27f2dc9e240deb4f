#include "weightfs/tensor/layout.h"

#include <gtest/gtest.h>

#include <random>

namespace weightfs {
namespace {

constexpr std::uint64_t kHuge = ~std::uint64_t{0};

// Of a file of 1,000 bytes.
Layout sample_layout() {
  Layout layout;
  layout.format = "safetensors";
  layout.opaque_reason = "a reason";
  layout.extents = {
      {.offset_bytes = 0, .length_bytes = 100},
      {.offset_bytes = 100, .length_bytes = 800, .dtype = Dtype::bf16, .row_bytes = 80},
      {.offset_bytes = 900, .length_bytes = 100, .dtype = Dtype::q4_k}};
  layout.tensors = {{.name = "model.weight",
                     .dtype = Dtype::bf16,
                     .shape = {10, 40},
                     .strides_elements = {40, -1},
                     .offset_bytes = 100,
                     .length_bytes = 800,
                     .note = "transposed"},
                    {.name = "",
                     .dtype = Dtype::i64,
                     .shape = {},
                     .strides_elements = {},
                     .offset_bytes = 900,
                     .length_bytes = 8,
                     .note = ""}};
  layout.metadata = {{"format", "pt"}, {"", ""}};
  return layout;
}

void expect_equal(const Layout& a, const Layout& b) {
  EXPECT_EQ(a.format, b.format);
  EXPECT_EQ(a.opaque_reason, b.opaque_reason);
  EXPECT_EQ(a.metadata, b.metadata);
  ASSERT_EQ(a.extents.size(), b.extents.size());
  for (std::size_t i = 0; i < a.extents.size(); ++i) {
    EXPECT_EQ(a.extents[i].offset_bytes, b.extents[i].offset_bytes);
    EXPECT_EQ(a.extents[i].length_bytes, b.extents[i].length_bytes);
    EXPECT_EQ(a.extents[i].dtype, b.extents[i].dtype);
    EXPECT_EQ(a.extents[i].row_bytes, b.extents[i].row_bytes);
  }
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_EQ(a.tensors[i].name, b.tensors[i].name);
    EXPECT_EQ(a.tensors[i].dtype, b.tensors[i].dtype);
    EXPECT_EQ(a.tensors[i].shape, b.tensors[i].shape);
    EXPECT_EQ(a.tensors[i].strides_elements, b.tensors[i].strides_elements);
    EXPECT_EQ(a.tensors[i].offset_bytes, b.tensors[i].offset_bytes);
    EXPECT_EQ(a.tensors[i].length_bytes, b.tensors[i].length_bytes);
    EXPECT_EQ(a.tensors[i].note, b.tensors[i].note);
  }
}

TEST(Layout, ParsesWhatItSerialized) {
  for (const Layout& layout : {sample_layout(), opaque_layout(1000, "why"), opaque_layout(0)}) {
    const auto parsed = parse_layout(serialize_layout(layout));
    ASSERT_TRUE(parsed) << parsed.error().message;
    expect_equal(*parsed, layout);
  }
}

TEST(Layout, RefusesEveryPrefixAndATail) {
  ByteVector bytes = serialize_layout(sample_layout());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto parsed = parse_layout(ByteSpan(bytes).first(size));
    ASSERT_FALSE(parsed) << size;
    EXPECT_EQ(parsed.error().code, Code::corrupt) << size;
  }
  bytes.push_back(std::byte{0});
  EXPECT_EQ(parse_layout(bytes).error().code, Code::corrupt);
}

TEST(Layout, RefusesALaterVersion) {
  ByteVector bytes = serialize_layout(sample_layout());
  bytes[0] = std::byte{2};
  EXPECT_EQ(parse_layout(bytes).error().code, Code::newer_version);
}

// Whatever the bytes are, there is an error or a layout, in little memory.
TEST(Layout, ParsesDamagedBytesWithoutHarm) {
  const ByteVector whole = serialize_layout(sample_layout());
  std::mt19937 random(1);
  int parsed_count = 0;
  for (int i = 0; i < 20'000; ++i) {
    ByteVector bytes = whole;
    for (std::uint64_t left = 1 + random() % 4; left > 0; --left) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    const auto parsed = parse_layout(bytes);
    if (!parsed) continue;
    ++parsed_count;
    EXPECT_LE(parsed->tensors.size() + parsed->extents.size(), bytes.size());
    (void)validated(*parsed, 1000);
    for (const Extent& extent : parsed->extents) (void)dtype_layout(extent.dtype);
  }
  EXPECT_GT(parsed_count, 0);
}

TEST(CoverFile, FillsGapsWithOpaqueExtentsInOrder) {
  const auto covering = cover_file({{.offset_bytes = 60, .length_bytes = 40, .dtype = Dtype::f32},
                                    {.offset_bytes = 10, .length_bytes = 20, .dtype = Dtype::f16},
                                    {.offset_bytes = 30, .length_bytes = 0}},
                                   120);
  ASSERT_TRUE(covering);
  std::vector<std::pair<std::uint64_t, Dtype>> found;
  for (const Extent& extent : *covering) found.emplace_back(extent.length_bytes, extent.dtype);
  const std::vector<std::pair<std::uint64_t, Dtype>> expected = {{10, Dtype::opaque},
                                                                 {20, Dtype::f16},
                                                                 {30, Dtype::opaque},
                                                                 {40, Dtype::f32},
                                                                 {20, Dtype::opaque}};
  EXPECT_EQ(found, expected);
  Layout layout;
  layout.extents = *covering;
  EXPECT_TRUE(validated(layout, 120));
}

TEST(CoverFile, RefusesOverlapsAndWhatLiesPastTheEnd) {
  const Extent first{.offset_bytes = 0, .length_bytes = 50};
  EXPECT_FALSE(cover_file({first, {.offset_bytes = 49, .length_bytes = 10}}, 100));
  EXPECT_FALSE(cover_file({first, first}, 100));
  EXPECT_FALSE(cover_file({{.offset_bytes = 90, .length_bytes = 11}}, 100));
  EXPECT_FALSE(cover_file({{.offset_bytes = 101, .length_bytes = 1}}, 100));
  EXPECT_FALSE(cover_file({{.offset_bytes = 50, .length_bytes = kHuge - 10}}, 100));
}

TEST(CoverFile, TakesAnEmptyFile) {
  EXPECT_TRUE(cover_file({}, 0)->empty());
  EXPECT_TRUE(validated(opaque_layout(0), 0));
}

TEST(Validated, RefusesGapsOverlapsAndShortLayouts) {
  Layout layout = sample_layout();
  EXPECT_TRUE(validated(layout, 1000));
  EXPECT_FALSE(validated(layout, 999));
  EXPECT_FALSE(validated(layout, 1001));
  layout.extents[1].offset_bytes = 99;
  EXPECT_FALSE(validated(layout, 1000));
}

TEST(Validated, RefusesATensorOutsideOfTheFile) {
  Layout layout = sample_layout();
  layout.tensors[0].offset_bytes = kHuge - 100;
  EXPECT_FALSE(validated(layout, 1000));
}

TEST(RowBytes, AreTheProductOfAllDimensionsButTheFirst) {
  EXPECT_EQ(row_bytes_of({10, 3, 4}, Dtype::f32), 48u);
  EXPECT_EQ(row_bytes_of({10, 256}, Dtype::q4_k), 144u);
  EXPECT_EQ(row_bytes_of({10}, Dtype::f32), 0u);
  EXPECT_EQ(row_bytes_of({}, Dtype::f32), 0u);
}

TEST(RowBytes, AreZeroWhereARowIsNoWholeUnitsOrDoesNotFit) {
  EXPECT_EQ(row_bytes_of({10, 100}, Dtype::q4_k), 0u);
  EXPECT_EQ(row_bytes_of({1, kHuge, 2}, Dtype::u8), 0u);
  EXPECT_EQ(row_bytes_of({1, kHuge / 4}, Dtype::f64), 0u);
}

}  // namespace
}  // namespace weightfs
