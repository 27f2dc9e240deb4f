// Formats whose files have no header: a neighbour says what they hold.
#include <gmock/gmock.h>

#include "hand_made.h"

namespace weightfs::format {
namespace {

using testing::HandMade;
using testing::layout_of;

constexpr const char* kManifest = R"([{"paths": ["w-shard1of2", "w-shard2of2"], "weights": [
  {"name": "a", "shape": [2], "dtype": "float32"},
  {"name": "b", "shape": [2, 2], "dtype": "float32"},
  {"name": "c", "shape": [4], "dtype": "float32", "quantization": {"dtype": "uint8"}}]}])";

TEST(Tfjs, CutsAShardByItsManifest) {
  const std::string weights = testing::floats(6) + "quan";
  const HandMade first{.bytes = weights.substr(0, 16),
                       .name = "w-shard1of2",
                       .neighbours = {{"weights_manifest.json", kManifest}}};
  const Layout layout = layout_of(first);
  EXPECT_EQ(layout.format, "tfjs");
  EXPECT_EQ(testing::tensor_bytes_in(first, layout, "a"), testing::floats(2));
  EXPECT_EQ(testing::find_tensor(layout, "b")->note, "in several shards");
}

TEST(Tfjs, KnowsWhereALaterShardStartsByTheSizesOfThoseBeforeIt) {
  const std::string weights = testing::floats(6) + "quan";
  HandMade second{
      .bytes = weights.substr(16),
      .name = "w-shard2of2",
      .neighbours = {{"weights_manifest.json", kManifest}, {"w-shard1of2", weights.substr(0, 16)}}};
  const Layout layout = layout_of(second);
  EXPECT_EQ(testing::tensor_bytes_in(second, layout, "c"), "quan");
  second.neighbours.erase("w-shard1of2");
  EXPECT_THAT(layout_of(second).opaque_reason, ::testing::HasSubstr("is missing"));
}

TEST(Tfjs, LeavesAShardOpaqueOfAnotherSizeThanItsWeights) {
  const HandMade second{
      .bytes = "too long a shard for the weights",
      .name = "w-shard2of2",
      .neighbours = {{"weights_manifest.json", kManifest}, {"w-shard1of2", testing::floats(4)}}};
  EXPECT_THAT(layout_of(second).opaque_reason, ::testing::HasSubstr("another size"));
}

TEST(Tfjs, NeverOpensWhatLiesElsewhere) {
  const HandMade second{
      .bytes = "x",
      .name = "b",
      .neighbours = {{"model.json", R"([{"paths": ["../secret", "b"], "weights": []}])"},
                     {"../secret", "x"}}};
  EXPECT_THAT(layout_of(second).opaque_reason, ::testing::HasSubstr("is missing"));
}

TEST(Tfjs, ListsTheWeightsOfItsManifest) {
  const Layout layout = layout_of({.bytes = kManifest, .name = "weights_manifest.json"});
  EXPECT_EQ(layout.format, "tfjs-manifest");
  ASSERT_EQ(layout.tensors.size(), 3U);
  EXPECT_EQ(layout.tensors[2].dtype, Dtype::u8);
}

TEST(Tfjs, SurvivesDamageOfTheManifest) {
  testing::expect_survives_damage({.bytes = kManifest, .name = "weights_manifest.json"});
}

constexpr const char* kParam =
    "7767517\n3 3\n"
    "Input        data 0 1 data\n"
    "Convolution  conv 1 1 data conv 0=2 1=1 5=1 6=6\n"
    "PReLU        act  1 1 conv act 0=2\n";

std::string ncnn_weights() {
  return std::string(4, '\0') + testing::floats(6) + testing::floats(2) + testing::floats(2);
}

TEST(Ncnn, CutsTheWeightsByTheParam) {
  const HandMade file{
      .bytes = ncnn_weights(), .name = "model.bin", .neighbours = {{"model.param", kParam}}};
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "ncnn") << layout.opaque_reason;
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "conv/weight"), testing::floats(6));
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "conv/bias"), testing::floats(2));
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "act/slope"), testing::floats(2));
  testing::expect_survives_damage(file);
}

TEST(Ncnn, CutsHalvesAndTheirPadding) {
  constexpr const char* kHalf = "7767517\n1 1\nInnerProduct ip 1 1 a b 0=3 1=0 2=3\n";
  const HandMade file{.bytes =
                          "\x47\x6b\x30\x01"
                          "aabbcc--",
                      .name = "model.bin",
                      .neighbours = {{"model.param", kHalf}}};
  EXPECT_EQ(testing::tensor_bytes_in(file, layout_of(file), "ip/weight"), "aabbcc");
}

TEST(Ncnn, LeavesAFileOpaqueThatItsParamDoesNotFill) {
  const Layout layout = layout_of({.bytes = ncnn_weights() + "more",
                                   .name = "model.bin",
                                   .neighbours = {{"model.param", kParam}}});
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_THAT(layout.opaque_reason, ::testing::HasSubstr("longer than its .param"));
}

std::string zarr_array(const std::string& compressor) {
  return R"({"chunks": [2, 3], "compressor": )" + compressor +
         R"(, "dtype": "<f4", "filters": null, "shape": [4, 3], "zarr_format": 2})";
}

TEST(Zarr, TakesAnUncompressedChunkForATensor) {
  const HandMade file{
      .bytes = testing::floats(6), .name = "1.0", .neighbours = {{".zarray", zarr_array("null")}}};
  EXPECT_EQ(testing::tensor_bytes_in(file, layout_of(file), "chunk 1.0"), testing::floats(6));
}

TEST(Zarr, LeavesCompressedChunksOpaque) {
  const Layout layout = layout_of({.bytes = testing::floats(6),
                                   .name = "1.0",
                                   .neighbours = {{".zarray", zarr_array(R"({"id": "zstd"})")}}});
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_THAT(layout.opaque_reason, ::testing::HasSubstr("compressed"));
}

std::string zarr_array_3(const std::string& codecs) {
  return R"({"zarr_format": 3, "node_type": "array", "shape": [4, 3], "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}}, "codecs": [)" +
         codecs + "]}";
}

TEST(Zarr, TakesAnUncompressedChunkOfVersion3ForATensor) {
  const std::string codec = R"({"name": "bytes", "configuration": {"endian": "little"}})";
  const HandMade file{.bytes = testing::floats(6),
                      .name = "c.1.0",
                      .neighbours = {{"zarr.json", zarr_array_3(codec)}}};
  EXPECT_EQ(testing::tensor_bytes_in(file, layout_of(file), "chunk c.1.0"), testing::floats(6));
  const std::string sharded = R"({"name": "sharding_indexed", "configuration": {}})";
  EXPECT_THAT(layout_of({.bytes = testing::floats(6),
                         .name = "c.1.0",
                         .neighbours = {{"zarr.json", zarr_array_3(sharded)}}})
                  .opaque_reason,
              ::testing::HasSubstr("compressed"));
}

}  // namespace
}  // namespace weightfs::format
