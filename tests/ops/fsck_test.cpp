#include "weightfs/ops/fsck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "model_files.h"
#include "weightfs/store/blob_store.h"
#include "weightfs/tree/tree.h"

namespace weightfs::ops {
namespace {

using fs::Harness;
using fs::must;
using fs::random_text;
using ::testing::HasSubstr;

constexpr std::size_t kFileBytes = 600'000;

// A store with a directory, a hard link, a copy and attributes, which tests damage table by table.
class Fsck : public ::testing::Test {
 protected:
  Fsck() {
    directory_ = must(store_->make_directory(fs::kRootInode, "dir", 0755, {})).inode;
    const auto made = must(store_->create(directory_, "file", 0644, O_RDWR, {}));
    file_ = made.attributes.inode;
    must(store_->write(made.handle, 0, bytes_of(random_text(kFileBytes, 1))));
    store_->release(made.handle);
    must(store_->link(file_, fs::kRootInode, "link"));
    store_.make_file("copy", random_text(kFileBytes, 1));
    must(store_->set_xattr(file_, "user.note", bytes_of("x"), fs::XattrMode::create));
    must(store_->sync_all());
    store_.close();
  }

  FsckResult check(bool repair = false) {
    return must(
        check_store(store_.store_path(), {.repair = repair, .worker_count = 2, .progress = {}}));
  }
  // Applies `damage` to the tables, and wants one kind of problem, which a repair corrects.
  void expect_repaired(const std::function<void(tree::Tree&, tree::Change&)>& damage,
                       const std::string& message) {
    edit(damage);
    const FsckResult found = check();
    EXPECT_EQ(found.exit_status(), 4);
    EXPECT_THAT(all_messages(found), HasSubstr(message));
    const FsckResult repaired = check(/*repair=*/true);
    EXPECT_EQ(repaired.exit_status(), 1) << all_messages(repaired);
    const FsckResult again = check();
    EXPECT_EQ(again.exit_status(), 0) << all_messages(again);
    expect_content();
  }
  void edit(const std::function<void(tree::Tree&, tree::Change&)>& damage) {
    const auto tree =
        must(tree::Tree::open({.path = store_.store_path() + "/meta", .read_only = false}));
    tree::Change change(*tree);
    damage(*tree, change);
    tree->apply(std::move(change));
    must(tree->commit());
  }
  static std::string all_messages(const FsckResult& result) {
    std::string text;
    for (const FsckProblem& problem : result.problems) text += problem.message + "\n";
    for (const DamagedRange& range : result.damaged) text += range.path + "\n";
    return text;
  }
  // Whatever was repaired, every file that was there can be read.
  void expect_content() {
    store_.open();
    for (const fs::InodeNumber inode : {file_, file_ + 1}) {
      EXPECT_EQ(store_.read_all(inode), random_text(kFileBytes, 1)) << inode;
    }
    store_.close();
  }
  tree::InodeRecord record_of(const tree::Tree& tree, tree::InodeNumber inode) {
    return *must(tree.inode(inode));
  }

  Harness store_;
  fs::InodeNumber directory_ = 0;
  fs::InodeNumber file_ = 0;
};

TEST_F(Fsck, FindsNothingWrongWithAStoreThatWasUsed) {
  const FsckResult result = check();
  EXPECT_TRUE(result.is_clean()) << all_messages(result);
  EXPECT_EQ(result.exit_status(), 0);
  EXPECT_EQ(result.inodes, 4U);
  EXPECT_EQ(result.names, 4U);
  EXPECT_GT(result.checked_bytes, kFileBytes / 2);
}

// A bf16 tensor that is stored as the upper half of an fp32 one, which has no name any more.
TEST_F(Fsck, KnowsWhatACastNeeds) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<float> values(300'000);
  std::vector<std::uint16_t> upper;
  for (float& value : values) {
    value = normal(random);
    upper.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
  }
  const std::string cast = safetensors({{"w", "BF16", {300'000}, bytes_of_values(upper)}});
  store_.open();
  store_.make_file("master", safetensors({{"w", "F32", {300'000}, bytes_of_values(values)}}));
  must(store_->sync_all());
  const fs::InodeNumber file = store_.make_file("cast", cast);
  must(store_->sync_all());
  const fs::InodeNumber master = must(store_->lookup(fs::kRootInode, "master")).inode;
  must(store_->unlink(fs::kRootInode, "master"));
  store_->forget(master, 2);
  must(store_->collect_garbage(/*dry_run=*/false));
  store_.close();
  const FsckResult result = check();
  EXPECT_TRUE(result.is_clean()) << all_messages(result);
  store_.open();
  EXPECT_TRUE(store_.read_all(file) == cast);
  store_.close();
}

TEST_F(Fsck, RefusesAStoreThatIsInUse) {
  store_.open();
  const auto result = check_store(store_.store_path(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::busy);
  EXPECT_THAT(result.error().message, HasSubstr("unmount it first"));
}

TEST_F(Fsck, RefusesWhatIsNoStore) {
  EXPECT_EQ(check_store("/proc", {}).error().code, Code::not_found);
}

TEST_F(Fsck, CorrectsLinkCounts) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        tree::InodeRecord record = record_of(tree, file_);
        record.link_count = 7;
        change.put_inode(file_, record);
      },
      "counts 7 links and has 2");
}

TEST_F(Fsck, CorrectsADirectorysCounts) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        tree::InodeRecord record = record_of(tree, directory_);
        record.entry_count = 9;
        record.next_cookie = 1;
        record.parent = 77;
        record.link_count = 5;
        change.put_inode(directory_, record);
      },
      "counts 9 entries and has 1");
}

TEST_F(Fsck, RemovesANameWithoutAnInode) {
  expect_repaired(
      [&](tree::Tree&, tree::Change& change) {
        change.put_entry(directory_, "ghost", {.inode = 4444, .type_mode = S_IFREG, .cookie = 500});
      },
      "inode 4444, which is not there");
}

TEST_F(Fsck, CorrectsANamesType) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        tree::EntryRecord entry = *must(tree.entry(directory_, "file"));
        entry.type_mode = S_IFDIR;
        change.put_entry(directory_, "file", entry);
      },
      "of another type");
}

TEST_F(Fsck, PutsWhatNothingNamesIntoLostAndFound) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        change.erase_entry(directory_, "file", *must(tree.entry(directory_, "file")));
        change.erase_entry(fs::kRootInode, "link", *must(tree.entry(fs::kRootInode, "link")));
      },
      "nothing names inode");
  store_.open();
  const auto lost_found = must(store_->lookup(fs::kRootInode, "lost+found"));
  const auto found = must(store_->lookup(lost_found.inode, fmt::format("#{}", file_)));
  EXPECT_EQ(found.inode, file_);
  EXPECT_EQ(found.link_count, 1U);
}

TEST_F(Fsck, PutsAWholeDirectoryIntoLostAndFound) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        change.erase_entry(fs::kRootInode, "dir", *must(tree.entry(fs::kRootInode, "dir")));
      },
      "nothing names inode");
  store_.open();
  const auto lost_found = must(store_->lookup(fs::kRootInode, "lost+found"));
  const auto found = must(store_->lookup(lost_found.inode, fmt::format("#{}", directory_)));
  EXPECT_EQ(must(store_->lookup(found.inode, "file")).inode, file_);
}

TEST_F(Fsck, KeepsAFileThatWaitsToBeRemovedButHasAName) {
  expect_repaired([&](tree::Tree&, tree::Change& change) { change.add_orphan(file_); },
                  "waits to be removed, but has a name");
}

TEST_F(Fsck, RemovesAttributesOfNothing) {
  expect_repaired([&](tree::Tree&, tree::Change& change) { change.put_xattr(5555, "user.x", "y"); },
                  "inode 5555");
}

TEST_F(Fsck, CorrectsARecipesCount) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        const tree::RecipeId id = record_of(tree, file_).content.recipe;
        tree::RecipeHeader header = *must(tree.recipe(id));
        header.reference_count = 9;
        change.put_recipe(id, header);
      },
      "counts 9 files");
}

TEST_F(Fsck, SavesADoomedRecipeThatAFileHas) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        change.add_doomed_recipe(record_of(tree, file_).content.recipe);
      },
      "waits to be removed, but");
}

TEST_F(Fsck, CorrectsABlobsCountAndSavesItFromRemoval) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        const auto entries = must(tree.recipe_chunk(record_of(tree, file_).content.recipe, 0));
        change.put_blob_references(entries[0].blob, 0);
        change.add_doomed_blob(entries[0].blob);
      },
      "counts 0 references");
}

TEST_F(Fsck, CorrectsTheNumbersThatTheStoreGoesOnFrom) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        tree::Counters counters = must(tree.counters());
        counters.next_inode = 2;
        counters.next_recipe = 1;
        change.put_counters(counters);
      },
      "would be given again");
}

TEST_F(Fsck, ReplacesALayoutThatDoesNotFit) {
  expect_repaired(
      [&](tree::Tree& tree, tree::Change& change) {
        change.put_layout(record_of(tree, file_).content.recipe, opaque_layout(17));
      },
      "a layout that does not fit");
}

TEST_F(Fsck, KeepsBlobsOfARecipeThatLostItsHeader) {
  std::uint64_t blobs_before = check().blobs;
  edit([&](tree::Tree& tree, tree::Change& change) {
    change.erase_recipe(record_of(tree, file_).content.recipe);
  });
  const FsckResult repaired = check(/*repair=*/true);
  EXPECT_EQ(repaired.exit_status(), 4);
  EXPECT_THAT(all_messages(repaired), HasSubstr("has lost its header"));
  store_.open();  // recovers, and would remove what is doomed
  store_.close();
  EXPECT_EQ(check().blobs, blobs_before);
}

TEST_F(Fsck, ListsTheFilesOfABrokenBlobByPathAndOffset) {
  tree::RecipeEntry second;
  {
    const auto tree =
        must(tree::Tree::open({.path = store_.store_path() + "/meta", .read_only = true}));
    second = must(tree->recipe_chunk(record_of(*tree, file_).content.recipe, 0)).at(1);
  }
  {
    const auto blobs = must(
        store::open_lmdb_blob_store({.path = store_.store_path() + "/blobs", .read_only = false}));
    store::NewBlob damaged;
    damaged.record = must(blobs->record(second.blob));
    damaged.record.codec = codec::CodecTag::raw;
    const std::string wrong = random_text(damaged.record.content.length_bytes, 99);
    damaged.record.encoded_bytes = static_cast<std::uint32_t>(wrong.size());
    damaged.record.base = store::BlobId::none;
    damaged.encoded = bytes_of(wrong);
    must(blobs->replace({&damaged, 1}));
  }
  const FsckResult result = check();
  EXPECT_EQ(result.exit_status(), 4);
  ASSERT_EQ(result.damaged.size(), 2U);  // the file, by one of its names, and its copy
  for (const DamagedRange& range : result.damaged) {
    EXPECT_GT(range.offset_bytes, 0U);
    EXPECT_EQ(range.length_bytes, second.length_bytes);
    EXPECT_EQ(range.blob, store::number(second.blob));
  }
  std::vector<std::string> paths = {result.damaged[0].path, result.damaged[1].path};
  std::sort(paths.begin(), paths.end());
  EXPECT_EQ(paths[0], "/copy");
  EXPECT_EQ(to_json(result)["damaged"].size(), 2U);
  EXPECT_TRUE(check_store(store_.store_path(), {.quick = true, .progress = {}})->is_clean());
}

TEST_F(Fsck, TellsOfAStagingFileThatLostBytes) {
  edit([&](tree::Tree& tree, tree::Change& change) {
    tree::InodeRecord record = record_of(tree, file_);
    record.content.staging = static_cast<tree::StagingId>(3);
    record.content.ranges = {{0, 1000, tree::RangeKind::staged}};
    change.put_inode(file_, record);
  });
  EXPECT_THAT(all_messages(check()), HasSubstr("staging file 3"));
  std::ofstream(store_.store_path() + "/staging/3") << "short";
  EXPECT_THAT(all_messages(check()), HasSubstr("has 5 bytes of 1000"));
}

TEST_F(Fsck, TellsProgressInBytes) {
  Progress last;
  must(check_store(store_.store_path(),
                   {.progress = [&last](const Progress& progress) { last = progress; }}));
  EXPECT_GT(last.total_bytes, 0U);
  EXPECT_EQ(last.done_bytes, last.total_bytes);
}

// The order is the second place where a name is kept, so it brings the first one back.
TEST(FsckOrder, RestoresANameFromItsPlaceInTheOrder) {
  Harness store;
  const auto inode = store.make_file("file", "content");
  must(store->sync_all());
  store.close();
  {
    const auto tree =
        must(tree::Tree::open({.path = store.store_path() + "/meta", .read_only = false}));
    const tree::EntryRecord entry = *must(tree->entry(tree::kRootInode, "file"));
    tree::Change change(*tree);
    // Only the order keeps the true name: the table of names has the inode under no name.
    tree::EntryRecord elsewhere = entry;
    elsewhere.cookie = entry.cookie + 100;
    change.put_entry(tree::kRootInode, "file", elsewhere);
    change.erase_entry(tree::kRootInode, "file", elsewhere);
    change.put_entry(tree::kRootInode, "other", entry);
    change.erase_entry(tree::kRootInode, "other", elsewhere);
    tree->apply(std::move(change));
    must(tree->commit());
  }
  const auto repaired = must(check_store(store.store_path(), {.repair = true, .progress = {}}));
  EXPECT_EQ(repaired.exit_status(), 1);
  EXPECT_TRUE(must(check_store(store.store_path(), {})).is_clean());
  store.open();
  EXPECT_EQ(must(store->lookup(fs::kRootInode, "other")).inode, inode);
  EXPECT_EQ(store.read_all(inode), "content");
}

}  // namespace
}  // namespace weightfs::ops
