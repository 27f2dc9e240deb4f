#include "weightfs/ops/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model_files.h"
#include "weightfs/ops/garbage.h"

namespace weightfs::ops {
namespace {

using fs::Harness;
using fs::must;
using fs::random_text;

constexpr std::size_t kFileBytes = 600'000;

TEST(Report, CountsACopyOnceInUniqueBytesAndTwiceInLogicalBytes) {
  Harness store;
  store.make_file("a", random_text(kFileBytes, 1));
  store.make_file("b", random_text(kFileBytes, 1));
  must(store->sync_all());
  const Report report = must(make_report(store.get()));
  EXPECT_EQ(report.files, 2U);
  EXPECT_EQ(report.logical_bytes, 2 * kFileBytes);
  EXPECT_EQ(report.unique_bytes, kFileBytes);
  EXPECT_EQ(report.dedup_saved_bytes, kFileBytes);
  EXPECT_EQ(report.unsealed_bytes, 0U);
  EXPECT_NEAR(report.ratio(), 0.5, 0.01);
}

TEST(Report, AddsUp) {
  Harness store;
  store.make_file("text", std::string(kFileBytes, 'x') + random_text(1000, 2));
  store.make_file("zeros", std::string(kFileBytes, '\0'));
  store.make_file("noise", random_text(kFileBytes, 3));
  must(store->sync_all());
  const Report report = must(make_report(store.get()));
  EXPECT_GT(report.compression_saved_bytes, kFileBytes / 2);
  EXPECT_GE(report.zero_bytes, kFileBytes);
  EXPECT_EQ(report.stored_bytes + report.compression_saved_bytes, report.unique_bytes);
  EXPECT_EQ(
      report.unique_bytes + report.dedup_saved_bytes + report.zero_bytes + report.unsealed_bytes,
      report.logical_bytes);
  std::uint64_t by_codecs = 0;
  for (const CodecUse& use : report.codecs) by_codecs += use.encoded_bytes;
  EXPECT_EQ(by_codecs, report.stored_bytes);
  std::uint64_t saved = 0;
  const nlohmann::json as_json = to_json(report);
  for (const auto& use : as_json["codecs"]) saved += use["saved_bytes"].get<std::uint64_t>();
  EXPECT_EQ(saved, report.compression_saved_bytes);
}

TEST(Report, NamesTheLargestSavingsByPath) {
  Harness store;
  const auto directory = must(store->make_directory(fs::kRootInode, "runs", 0755, {}));
  store.make_file("small", std::string(1000, 'x'));
  const auto made = must(store->create(directory.inode, "large", 0644, O_RDWR, {}));
  must(store->write(made.handle, 0, bytes_of(std::string(kFileBytes, 'y'))));
  store->release(made.handle);
  must(store->sync_all());
  const Report report = must(make_report(store.get()));
  ASSERT_FALSE(report.largest_savings.empty());
  EXPECT_EQ(report.largest_savings.front().path, "/runs/large");
  EXPECT_EQ(report.largest_savings.front().logical_bytes, kFileBytes);
}

TEST(Report, TellsOfAnEmptyStoreThatItSavesNothing) {
  Harness store;
  const Report report = must(make_report(store.get()));
  EXPECT_EQ(report.files, 0U);
  EXPECT_EQ(report.ratio(), 1.0);
  EXPECT_TRUE(report.largest_savings.empty());
}

TEST(Report, ReadsAnUnmountedStoreWithoutChangingIt) {
  Harness store;
  store.make_file("a", random_text(kFileBytes, 1));
  store.close();
  const Report report = must(store_report(store.store_path()));
  EXPECT_EQ(report.files, 1U);
  EXPECT_EQ(report.logical_bytes, kFileBytes);
}

TEST(Report, SurvivesItsJson) {
  Harness store;
  store.make_file("a", random_text(kFileBytes, 1));
  must(store->sync_all());
  const Report report = must(make_report(store.get()));
  const nlohmann::json json = to_json(report);
  for (const char* name : {"files", "logical_bytes", "unique_bytes", "stored_bytes", "ratio"}) {
    EXPECT_TRUE(json.contains(name)) << name;
  }
  EXPECT_EQ(to_json(must(report_from_json(json))), json);
  EXPECT_EQ(report_from_json({{"files", "many"}}).error().code, Code::invalid);
}

TEST(Report, RefusesADirectoryThatIsNoStore) {
  const testing::TemporaryDirectory directory;
  EXPECT_EQ(store_report(directory / "nothing").error().code, Code::not_found);
  EXPECT_EQ(store_report(directory / ".").error().code, Code::invalid);
}

TEST(Garbage, IsToldByADryRunAndFreedByARealOne) {
  Harness store;
  const auto inode = store.make_file("a", random_text(kFileBytes, 1));
  must(store->sync_all());
  must(store->unlink(fs::kRootInode, "a"));
  store->forget(inode, 1);  // that its making counted
  const Garbage freed = must(collect_garbage(store.get(), /*dry_run=*/false));
  EXPECT_FALSE(freed.dry_run);
  EXPECT_EQ(must(make_report(store.get())).unique_bytes, 0U);
  const Garbage left = must(collect_garbage(store.get(), /*dry_run=*/true));
  EXPECT_TRUE(left.dry_run);
  EXPECT_EQ(left.encoded_bytes, 0U);
}

}  // namespace
}  // namespace weightfs::ops
