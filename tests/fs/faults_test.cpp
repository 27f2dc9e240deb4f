// A disk that fails or fills up.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <thread>

#include "crash_worker.h"
#include "fault_tools.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kFileBytes = 1'000'000;

TEST(Faults, GiveTheErrorOfAWriteToTheWriterAndKeepWhatWasThere) {
  Harness fs(slow_timers());
  const InodeNumber inode = fs.make_file("file", "before");
  const Handle handle = must(fs->open_file(inode, O_RDWR));
  {
    const Armed armed("staging.write=eio");
    EXPECT_EQ(code_of(fs->write(handle, 0, bytes_of("behind"))), Code::io);
  }
  EXPECT_EQ(fs.read(handle, 0, 10), "before");
  EXPECT_EQ(must(fs->write(handle, 0, bytes_of("behind"))), 6U);
  fs->release(handle);
  fs.reopen();
  EXPECT_EQ(fs.read_all(must(fs->lookup(kRootInode, "file")).inode), "behind");
}

TEST(Faults, GiveTheErrorOfAnFsyncToItsCallerAndTryAgain) {
  Harness fs(slow_timers());
  const Handle handle = must(fs->open_file(fs.make_file("file", "content"), O_RDWR));
  for (const char* fault : {"staging.sync=eio", "kv.commit.before=eio", "kv.commit.written=eio"}) {
    must(fs->write(handle, 0, bytes_of("Content")));
    const Armed armed(fault);
    EXPECT_EQ(code_of(fs->sync(handle)), Code::io) << fault;
    EXPECT_EQ(fs.read(handle, 0, 10), "Content");
    must(fs->sync(handle));
  }
  fs->release(handle);
}

TEST(Faults, TellTheWriterOfAnErrorThatTheTimerMet) {
  FilesystemOptions options = slow_timers();
  options.commit_interval_ms = 10;
  Harness fs(options);
  const Handle handle = must(fs->open_file(fs.make_file("file", ""), O_RDWR));
  const Armed armed("staging.sync=eio");
  must(fs->write(handle, 0, bytes_of("content")));
  Status told;
  for (int i = 0; i < 500 && told; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    told = fs->flush(handle);
  }
  EXPECT_EQ(code_of(told), Code::io);
  must(fs->flush(handle));  // once
  fs->release(handle);
}

class FailedSeal : public ::testing::TestWithParam<const char*> {};

TEST_P(FailedSeal, LosesNothingAndLeavesNothingBehind) {
  testing::TemporaryDirectory directory;
  const std::string store = directory / "store";
  {
    const auto filesystem = must(Filesystem::open(store, slow_timers()));
    const std::string content = random_text(kFileBytes, 7);
    const auto made = must(filesystem->create(kRootInode, "file", 0644, O_RDWR, {}));
    must(filesystem->write(made.handle, 0, bytes_of(content)));
    filesystem->release(made.handle);
    {
      const Armed armed(std::string(GetParam()) + "=enospc");
      EXPECT_EQ(code_of(filesystem->sync_all()), Code::no_space);
    }
    must(filesystem->sync_all());
  }
  EXPECT_EQ(read_store(store), (Contents{{"file", random_text(kFileBytes, 7)}}));
  expect_clean(store);
  expect_empty_when_emptied(store);
}

INSTANTIATE_TEST_SUITE_P(AtEachPoint, FailedSeal,
                         ::testing::Values("seal.before_put", "store.put.before",
                                           "store.put.written", "seal.after_put",
                                           "kv.commit.before"),
                         [](const auto& point) {
                           std::string name = point.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

// A store on a file system of 64 MiB.
class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::mount("weightfs-test", directory_.path().c_str(), "tmpfs", 0, "size=64m"), 0)
        << "this test mounts a tmpfs, and must be run as root";
  }
  void TearDown() override { ::umount2(directory_.path().c_str(), MNT_DETACH); }
  std::string store() const { return directory_ / "store"; }

  // Writes files until one fails; answers how many there are, the failed one among them.
  int fill(Filesystem& filesystem) {
    for (int i = 0;; ++i) {
      const auto made = filesystem.create(kRootInode, "fill" + std::to_string(i), 0644, O_RDWR, {});
      if (!made) return i;
      const std::string content = random_text(std::size_t{4} << 20, static_cast<unsigned>(i));
      const auto written = filesystem.write(made->handle, 0, bytes_of(content));
      const Status synced = written ? filesystem.sync(made->handle) : Status{};
      filesystem.release(made->handle);
      if (written && synced) continue;
      EXPECT_EQ(written ? code_of(synced) : code_of(written), Code::no_space);
      return i + 1;
    }
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(FullDisk, FailsWritersServesReadersAndRecovers) {
  const std::string kept = random_text(3'000'000, 99);
  {
    const auto filesystem = must(Filesystem::open(store(), slow_timers()));
    const auto made = must(filesystem->create(kRootInode, "kept", 0644, O_RDWR, {}));
    must(filesystem->write(made.handle, 0, bytes_of(kept)));
    must(filesystem->sync_all());
    const int count = fill(*filesystem);
    EXPECT_GT(count, 3);
    EXPECT_LT(count, 20);
    const auto read = must(filesystem->read(made.handle, 1000, 1000));
    EXPECT_EQ(text_of(read.segments.at(0).bytes), kept.substr(1000, read.segments[0].bytes.size()));
    for (int i = 0; i < count; ++i) {
      must(filesystem->unlink(kRootInode, "fill" + std::to_string(i)));
    }
    Status room = filesystem->sync_all();
    for (int i = 0; i < 50 && !room; ++i) room = filesystem->sync_all();
    must(room);
    must(filesystem->collect_garbage(/*dry_run=*/false));
    must(filesystem->write(made.handle, 0, bytes_of(random_text(1'000'000, 5))));
    must(filesystem->sync(made.handle));
    filesystem->release(made.handle);
  }
  expect_clean(store());
  const Contents found = read_store(store());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found.at("kept") == random_text(1'000'000, 5) + kept.substr(1'000'000));
}

TEST_F(FullDisk, HasRoomAgainWhenSealedFilesAreRemoved) {
  {
    const auto filesystem = must(Filesystem::open(store(), slow_timers()));
    for (int round = 0; round < 6; ++round) {
      const std::string content = random_text(std::size_t{20} << 20, static_cast<unsigned>(round));
      const auto made = must(filesystem->create(kRootInode, "file", 0644, O_RDWR, {}));
      ASSERT_EQ(must(filesystem->write(made.handle, 0, bytes_of(content))), content.size());
      filesystem->release(made.handle);
      filesystem->forget(made.attributes.inode, 1);
      must(filesystem->sync_all());
      must(filesystem->unlink(kRootInode, "file"));
      must(filesystem->collect_garbage(/*dry_run=*/false));
    }
  }
  expect_clean(store());
  EXPECT_TRUE(read_store(store()).empty());
}

}  // namespace
}  // namespace weightfs::fs
