#include "weightfs/ops/file_storage.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model_files.h"

namespace weightfs::ops {
namespace {

using fs::Harness;
using fs::must;
using fs::random_text;

constexpr std::size_t kTensorBytes = 512 << 10;

std::string model(std::uint64_t first_seed, std::uint64_t second_seed) {
  return safetensors({{"first", "U8", {kTensorBytes}, random_text(kTensorBytes, first_seed)},
                      {"second", "U8", {kTensorBytes}, random_text(kTensorBytes, second_seed)}});
}

TEST(FileStorage, TellsFormatBlocksAndCodecsOfASealedFile) {
  Harness store;
  const auto inode = store.make_file("a.safetensors", model(1, 2));
  must(store->sync_all());
  const FileStorage storage = must(file_storage(store.get(), inode, {}));
  EXPECT_TRUE(storage.is_sealed);
  EXPECT_EQ(storage.format, "safetensors");
  EXPECT_GE(storage.blocks, 4U);
  EXPECT_EQ(storage.distinct_blobs, storage.blocks);
  EXPECT_GE(storage.encoded_bytes, 2 * kTensorBytes);
  EXPECT_EQ(storage.sharer_count, 0U);
}

TEST(FileStorage, NamesFilesThatShareBlocksMostFirst) {
  Harness store;
  const auto inode = store.make_file("a.safetensors", model(1, 2));
  store.make_file("half", model(1, 3));
  store.make_file("copy", model(1, 2));
  store.make_file("other", random_text(kTensorBytes, 4));
  must(store->sync_all());
  const FileStorage storage = must(file_storage(store.get(), inode, {}));
  ASSERT_EQ(storage.sharers.size(), 2U);
  EXPECT_EQ(storage.sharers[0].path, "/copy");
  EXPECT_EQ(storage.sharers[1].path, "/half");
  EXPECT_GE(storage.sharers[1].shared_bytes, kTensorBytes);
  EXPECT_LT(storage.sharers[1].shared_bytes, 2 * kTensorBytes);
}

TEST(FileStorage, CountsAllSharersThoughItNamesFew) {
  Harness store;
  const auto inode = store.make_file("a", random_text(kTensorBytes, 1));
  for (const char* name : {"b", "c", "d"}) store.make_file(name, random_text(kTensorBytes, 1));
  must(store->sync_all());
  const FileStorage storage = must(file_storage(store.get(), inode, {.max_sharers = 1}));
  EXPECT_EQ(storage.sharers.size(), 1U);
  EXPECT_EQ(storage.sharer_count, 3U);
}

TEST(FileStorage, SaysThatAFileWaitsForItsSeal) {
  Harness store(fs::FilesystemOptions{.seal_delay_ms = 3'600'000});
  const auto inode = store.make_file("a", random_text(1000, 1));
  const FileStorage storage = must(file_storage(store.get(), inode, {}));
  EXPECT_FALSE(storage.is_sealed);
  EXPECT_EQ(storage.size_bytes, 1000U);
  EXPECT_EQ(storage.unsealed_bytes, 1000U);
}

TEST(FileStorage, RefusesWhatIsNoRegularFile) {
  Harness store;
  EXPECT_EQ(file_storage(store.get(), fs::kRootInode, {}).error().code, Code::invalid);
}

TEST(FileStorage, SurvivesItsJson) {
  Harness store;
  const auto inode = store.make_file("a", random_text(1000, 1));
  must(store->sync_all());
  const nlohmann::json json = to_json(must(file_storage(store.get(), inode, {})));
  EXPECT_EQ(to_json(must(file_storage_from_json(json))), json);
}

TEST(TensorStorage, TellsForEachTensorWhoSharesIt) {
  Harness store;
  const auto inode = store.make_file("a.safetensors", model(1, 2));
  store.make_file("half.safetensors", model(1, 3));
  must(store->sync_all());
  const auto tensors = must(tensor_storage(store.get(), inode));
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors[0].shared_with, std::vector<std::string>{"/half.safetensors"});
  EXPECT_TRUE(tensors[1].shared_with.empty());
  EXPECT_GE(tensors[1].stored_bytes, kTensorBytes);
  EXPECT_LE(tensors[1].stored_bytes, kTensorBytes + 4096);
}

TEST(VirtualXattr, AnswersItsNamesAndNoOthers) {
  Harness store;
  const auto inode = store.make_file("a.safetensors", model(1, 2));
  must(store->sync_all());
  EXPECT_EQ(must(virtual_xattr(store.get(), inode, "user.weightfs.format")), "safetensors");
  EXPECT_EQ(must(virtual_xattr(store.get(), inode, "user.weightfs.sealed")), "1");
  EXPECT_EQ(must(virtual_xattr(store.get(), inode, "user.weightfs.shared")), "");
  EXPECT_EQ(must(virtual_xattr(store.get(), inode, "user.weightfs.policy")), std::nullopt);
  EXPECT_EQ(must(virtual_xattr(store.get(), inode, "user.other")), std::nullopt);
  EXPECT_EQ(must(virtual_xattr(store.get(), fs::kRootInode, "user.weightfs.format")), std::nullopt);
}

}  // namespace
}  // namespace weightfs::ops
