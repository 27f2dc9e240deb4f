#include <gtest/gtest.h>

#include "file_maker.h"

namespace weightfs::format {
namespace {

using testing::Bytes;
using testing::detect;

std::string file_of(std::string_view header, std::size_t data_bytes) {
  return Bytes().u64(header.size()).text(header).zeros(data_bytes).str();
}

std::string entry(std::string_view name, std::string_view dtype, std::string_view rest) {
  Bytes out;
  out.text("\"").text(name).text(R"(":{"dtype":")").text(dtype).text(R"(",)").text(rest).text("}");
  return out.str();
}

// A header of these members.
std::string object(std::initializer_list<std::string> members) {
  Bytes out;
  out.text("{");
  for (const std::string& member : members) {
    if (out.size() > 1) out.text(",");
    out.text(member);
  }
  return out.text("}").str();
}

TEST(Safetensors, GivesEachTensorItsOwnExtentWithRows) {
  const std::string header = object({entry("a", "F32", R"("shape":[2,3],"data_offsets":[0,24])"),
                                     entry("b", "BF16", R"("shape":[5],"data_offsets":[24,34])")});
  const Layout layout = detect(file_of(header, 34));
  ASSERT_EQ(layout.tensors.size(), 2U) << layout.opaque_reason;
  EXPECT_EQ(layout.format, "safetensors");
  EXPECT_EQ(layout.tensors[0].offset_bytes, 8 + header.size());
  EXPECT_EQ(layout.tensors[0].shape, (std::vector<std::uint64_t>{2, 3}));
  ASSERT_EQ(layout.extents.size(), 3U);
  EXPECT_EQ(layout.extents[1].row_bytes, 12U);
  EXPECT_EQ(layout.extents[2].dtype, Dtype::bf16);
}

TEST(Safetensors, KnowsTheNarrowTypes) {
  struct Case {
    const char* name;
    Dtype dtype;
    std::size_t bytes_of_eight;
  };
  const Case cases[] = {
      {"F8_E4M3", Dtype::f8_e4m3, 8}, {"F8_E5M2", Dtype::f8_e5m2, 8},
      {"F8_E8M0", Dtype::f8_e8m0, 8}, {"F6_E2M3", Dtype::f6_e2m3, 6},
      {"F6_E3M2", Dtype::f6_e3m2, 6}, {"F4", Dtype::f4, 4},
      {"BOOL", Dtype::boolean, 8},    {"C64", Dtype::c64, 64},
      {"U16", Dtype::u16, 16},
  };
  for (const Case& c : cases) {
    const std::string offsets = std::to_string(c.bytes_of_eight);
    const std::string header =
        object({entry("t", c.name, R"("shape":[8],"data_offsets":[0,)" + offsets + "]")});
    const Layout layout = detect(file_of(header, c.bytes_of_eight));
    ASSERT_EQ(layout.tensors.size(), 1U) << c.name << ": " << layout.opaque_reason;
    EXPECT_EQ(layout.tensors[0].dtype, c.dtype) << c.name;
  }
}

TEST(Safetensors, ShowsMetadataAndAcceptsEmptyTensors) {
  const std::string header =
      object({R"("__metadata__":{"format":"pt"})",
              entry("none", "F32", R"("shape":[0,7],"data_offsets":[0,0])")});
  const Layout layout = detect(file_of(header, 0));
  ASSERT_EQ(layout.metadata.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.metadata[0].second, "pt");
  EXPECT_EQ(layout.tensors.size(), 1U);
}

struct Lie {
  const char* what;
  std::string header;
  std::size_t data_bytes;
};

TEST(Safetensors, TakesAHeaderThatLiesForOpaque) {
  const std::string good = R"("shape":[2],"data_offsets":[0,8])";
  const std::string byte = R"("shape":[1],"data_offsets":[0,1])";
  const std::string next_byte = R"("shape":[1],"data_offsets":[1,2])";
  const std::string later = R"("shape":[2],"data_offsets":[4,12])";
  const std::string short_by_one = R"("shape":[3],"data_offsets":[0,8])";
  const std::string block = R"("shape":[32],"data_offsets":[0,18])";
  const std::string negative = R"("shape":[-2],"data_offsets":[0,8])";
  const std::string huge = R"("shape":[4294967296,4294967296,4],"data_offsets":[0,0])";
  const Lie lies[] = {
      {"overlap", object({entry("a", "F32", good), entry("b", "F32", good)}), 8},
      {"gap", object({entry("a", "F32", later)}), 12},
      {"wrong size", object({entry("a", "F32", short_by_one)}), 8},
      {"truncated", object({entry("a", "F32", good)}), 7},
      {"more data", object({entry("a", "F32", good)}), 9},
      {"same name", object({entry("a", "U8", byte), entry("a", "U8", next_byte)}), 2},
      {"not UTF-8", object({entry("\xff", "F32", good)}), 8},
      {"foreign dtype", object({entry("a", "Q4_0", block)}), 18},
      {"negative", object({entry("a", "F32", negative)}), 8},
      {"overflow", object({entry("a", "F32", huge)}), 0},
      {"no offsets", object({entry("a", "F32", R"("shape":[2])")}), 8},
      {"nested deep", R"({"a":)" + std::string(100'000, '['), 0},
      {"not JSON", R"({"a")", 8},
  };
  for (const Lie& lie : lies) {
    const Layout layout = detect(file_of(lie.header, lie.data_bytes));
    EXPECT_TRUE(layout.tensors.empty()) << lie.what;
    EXPECT_EQ(layout.opaque_reason.substr(0, 11), "safetensors") << lie.what;
  }
}

TEST(Safetensors, RefusesAHeaderOfAHundredMegabytes) {
  const std::string file = Bytes().u64(100'000'000).text("{\"").zeros(100'000'000).str();
  EXPECT_EQ(detect(file).opaque_reason, "safetensors: a header is too large");
}

TEST(SafetensorsIndex, CountsTheTensorsOfEachShard) {
  const Layout layout = detect(
      R"({"metadata":{"total_size":12},"weight_map":{"a":"m-1.safetensors","b":"m-1.safetensors",)"
      R"("c":"m-2.safetensors"}})");
  EXPECT_EQ(layout.format, "safetensors-index");
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(layout.metadata, (std::vector<Pair>{{"total_size", "12"},
                                                {"tensors", "3"},
                                                {"shards", "2"},
                                                {"m-1.safetensors", "2 tensors"},
                                                {"m-2.safetensors", "1 tensors"}}));
}

}  // namespace
}  // namespace weightfs::format
