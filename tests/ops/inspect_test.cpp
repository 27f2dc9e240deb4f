#include "weightfs/ops/inspect.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "model_files.h"

namespace weightfs::ops {
namespace {

using fs::must;
using fs::random_text;

TEST(Inspect, ShowsTensorsAndMetadataOfAFileOutsideOfAnyMount) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory / "model.safetensors";
  write_file(path, safetensors({{"w", "F32", {2, 2}, bytes_of_values<float>({1, 2, 3, 4})},
                                {"b", "I8", {3}, "abc"}},
                               "\"author\":\"me\""));
  const nlohmann::json json =
      to_json(must(inspect_file(path, {.content_ids = true, .statistics = true, .progress = {}})));
  EXPECT_EQ(json["format"], "safetensors");
  ASSERT_EQ(json["tensors"].size(), 2U);
  const nlohmann::json& tensor = json["tensors"][0];
  EXPECT_EQ(tensor["name"], "w");
  EXPECT_EQ(tensor["dtype"], "F32");
  EXPECT_EQ(tensor["shape"], nlohmann::json({2, 2}));
  EXPECT_EQ(tensor["bytes"], 16);
  EXPECT_EQ(tensor["stats"]["mean"], 2.5);
  EXPECT_EQ(json["metadata"]["author"], "me");
  const std::string content = read_file(path);
  EXPECT_EQ(content.substr(tensor["offset"].get<std::size_t>(), 16),
            bytes_of_values<float>({1, 2, 3, 4}));
}

TEST(Inspect, NamesEqualContentEqually) {
  const testing::TemporaryDirectory directory;
  const std::string large = random_text(700'000, 1);
  std::string changed = large;
  changed.back() = static_cast<char>(changed.back() + 1);
  const std::string path = directory / "model.safetensors";
  write_file(path, safetensors({{"a", "U8", {large.size()}, large},
                                {"b", "U8", {large.size()}, large},
                                {"c", "U8", {large.size()}, changed}}));
  const Inspection inspection = must(inspect_file(path, {}));
  ASSERT_EQ(inspection.tensors.size(), 3U);
  EXPECT_EQ(inspection.tensors[0].content_id.size(), 32U);
  EXPECT_EQ(inspection.tensors[0].content_id, inspection.tensors[1].content_id);
  EXPECT_NE(inspection.tensors[0].content_id, inspection.tensors[2].content_id);
}

TEST(Inspect, ReadsNoTensorWhenNobodyAsksForContent) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory / "model.safetensors";
  write_file(path, safetensors({{"a", "U8", {4}, "abcd"}}));
  const Inspection inspection = must(inspect_file(path, {.content_ids = false, .progress = {}}));
  EXPECT_EQ(inspection.tensors[0].content_id, "");
}

TEST(Inspect, GivesTheReasonWhyAFileIsOpaque) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory / "model.safetensors";
  std::string file = safetensors({{"a", "U8", {4}, "abcd"}});
  file.resize(file.size() - 2);  // the tensor lies past the end
  write_file(path, file);
  const Inspection inspection = must(inspect_file(path, {}));
  EXPECT_TRUE(inspection.tensors.empty());
  EXPECT_EQ(inspection.opaque_bytes, file.size());
  EXPECT_NE(inspection.opaque_reason, "");
}

TEST(Inspect, RefusesWhatIsNoRegularFile) {
  const testing::TemporaryDirectory directory;
  const std::string fifo = directory / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(inspect_file(fifo, {}).error().code, Code::invalid);
  EXPECT_EQ(inspect_file(directory / "missing", {}).error().code, Code::not_found);
}

}  // namespace
}  // namespace weightfs::ops
