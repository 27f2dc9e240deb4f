// The tables are written by libleveldb, which TensorFlow's own writer is a copy of.
#include <gmock/gmock.h>
#include <leveldb/env.h>
#include <leveldb/options.h>
#include <leveldb/table_builder.h>

#include <protozero/pbf_writer.hpp>

#include "hand_made.h"

namespace weightfs::format {
namespace {

using protozero::pbf_writer;
using testing::HandMade;
using testing::layout_of;

class StringFile final : public leveldb::WritableFile {
 public:
  explicit StringFile(std::string& bytes) : bytes_(bytes) {}
  leveldb::Status Append(const leveldb::Slice& data) override {
    bytes_.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }

 private:
  std::string& bytes_;
};

std::string table_of(const std::map<std::string, std::string>& entries,
                     leveldb::CompressionType compression = leveldb::kNoCompression) {
  std::string bytes;
  StringFile file(bytes);
  leveldb::Options options;
  options.compression = compression;
  leveldb::TableBuilder builder(options, &file);
  for (const auto& [key, value] : entries) builder.Add(key, value);
  builder.Finish();
  return bytes;
}

std::string header(std::uint32_t shard_count) {
  std::string bytes;
  pbf_writer(bytes).add_uint32(1, shard_count);
  return bytes;
}

// BundleEntryProto of floats.
std::string entry(std::uint64_t count, std::uint32_t shard, std::uint64_t offset_bytes) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_enum(1, 1);
  {
    pbf_writer shape(message, 2);
    pbf_writer dimension(shape, 2);
    dimension.add_uint64(1, count);
  }
  message.add_uint32(3, shard);
  message.add_uint64(4, offset_bytes);
  message.add_uint64(5, count * 4);
  return bytes;
}

std::string index_of_two_shards() {
  return table_of({{"", header(2)}, {"a", entry(3, 0, 0)}, {"b", entry(2, 1, 4)}});
}

TEST(TfCheckpoint, ListsTheTensorsOfAllShardsInItsIndex) {
  const Layout layout = layout_of({.bytes = index_of_two_shards(), .name = "model.index"});
  EXPECT_EQ(layout.format, "tf-checkpoint-index");
  ASSERT_EQ(layout.tensors.size(), 2U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[1].note, "external: model.data-00001-of-00002");
}

TEST(TfCheckpoint, CutsAShardByItsIndex) {
  const HandMade shard{.bytes = testing::floats(3),
                       .name = "model.data-00001-of-00002",
                       .neighbours = {{"model.index", index_of_two_shards()}}};
  const Layout layout = layout_of(shard);
  EXPECT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(testing::tensor_bytes_in(shard, layout, "b"), shard.bytes.substr(4));
}

TEST(TfCheckpoint, ReadsAnIndexOfManyBlocks) {
  std::map<std::string, std::string> entries = {{"", header(1)}};
  for (std::uint64_t i = 0; i < 5000; ++i) {
    entries["layer " + std::to_string(i) + " kernel"] = entry(2, 0, i * 8);
  }
  const Layout layout = layout_of({.bytes = table_of(entries), .name = "m.index"});
  EXPECT_EQ(layout.tensors.size(), 5000U) << layout.opaque_reason;
}

TEST(TfCheckpoint, LeavesAShardOpaqueThatItsIndexDoesNotFit) {
  const Layout layout = layout_of({.bytes = testing::floats(1),
                                   .name = "model.data-00001-of-00002",
                                   .neighbours = {{"model.index", index_of_two_shards()}}});
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_THAT(layout.opaque_reason, ::testing::HasSubstr("past the end"));
}

TEST(TfCheckpoint, RefusesTablesThatAreNotBundles) {
  const Layout layout = layout_of({.bytes = table_of({{"key", "value"}}), .name = "000005.ldb"});
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_THAT(layout.opaque_reason, ::testing::HasSubstr("no header of a bundle"));
}

TEST(TfCheckpoint, RefusesCompressedTables) {
  const std::string text(10000, 'x');
  const Layout layout =
      layout_of({.bytes = table_of({{"", header(1)}, {"a", text}}, leveldb::kSnappyCompression)});
  EXPECT_THAT(layout.opaque_reason, ::testing::HasSubstr("compressed"));
}

TEST(TfCheckpoint, SurvivesDamage) {
  testing::expect_survives_damage({.bytes = index_of_two_shards(), .name = "model.index"});
}

TEST(TfCheckpoint, SurvivesDamageOfTheIndexOfAShard) {
  const std::string index = index_of_two_shards();
  for (std::size_t at = 0; at < index.size(); ++at) {
    std::string damaged = index;
    damaged[at] = '\xff';
    const HandMade shard{.bytes = testing::floats(3),
                         .name = "model.data-00001-of-00002",
                         .neighbours = {{"model.index", damaged}}};
    ASSERT_TRUE(validated(layout_of(shard), shard.bytes.size())) << at;
  }
}

// The keys that TensorFlow 2.21 wrote for a variable "pv" of [10, 300] in two parts, and for one
// that is not cut in its second dimension.
TEST(TfIndex, NamesThePartsOfAVariable) {
  const std::string part("\0pv\0\1\1\2\x84\x86\x80\xc1\x2c", 12);
  const std::string whole("\0pv\0\1\1\2\x84\x86\x80\x7f", 11);
  const std::string broken("\0pv\0\1\1\2\x84", 8);
  const HandMade file{.bytes = table_of({{"", header(1)},
                                         {part, entry(1, 0, 0)},
                                         {whole, entry(1, 0, 4)},
                                         {broken, entry(1, 0, 8)}}),
                      .name = "m.index"};
  const Layout layout = layout_of(file);
  ASSERT_EQ(layout.tensors.size(), 3U) << layout.opaque_reason;
  EXPECT_NE(testing::find_tensor(layout, "pv[4:10,0:300]"), nullptr);
  EXPECT_NE(testing::find_tensor(layout, "pv[4:10,:]"), nullptr);
}

}  // namespace
}  // namespace weightfs::format
