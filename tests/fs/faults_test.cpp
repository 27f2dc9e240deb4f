// A disk that fails, fills up, or gives back other bytes than it was given.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "crash_worker.h"
#include "harness.h"
#include "weightfs/base/fault.h"
#include "weightfs/base/fd.h"
#include "weightfs/store/blob_store.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kFileBytes = 1'000'000;

struct Armed {
  explicit Armed(std::string_view text) { must(fault::arm(text)); }
  ~Armed() { fault::disarm(); }
};

Code code_of(const Status& status) {
  return status ? Code::invalid : status.error().code;
}
template <class T>
Code code_of(const Result<T>& result) {
  return result ? Code::invalid : result.error().code;
}

FilesystemOptions slow_timers() {
  FilesystemOptions options;
  options.commit_interval_ms = 3'600'000;
  options.seal_delay_ms = 3'600'000;
  return options;
}

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

// Noise as bf16 values around one scale, and the same after a small step of training.
std::string bf16_tensor(std::size_t value_count, bool trained) {
  std::mt19937_64 random(11);
  std::mt19937_64 steps(12);
  std::string text;
  for (std::size_t i = 0; i < value_count; ++i) {
    auto bits = static_cast<std::uint16_t>(0x3c00 + random() % 0x180 + (random() % 2 << 15));
    if (trained && steps() % 50 == 0) ++bits;
    text.append({static_cast<char>(bits & 0xff), static_cast<char>(bits >> 8)});
  }
  return text;
}

std::string safetensors_of(const std::string& tensor) {
  std::string header = R"({"w":{"dtype":"BF16","shape":[)" + std::to_string(tensor.size() / 2) +
                       R"(],"data_offsets":[0,)" + std::to_string(tensor.size()) + "]}}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string size;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    size.push_back(static_cast<char>(header.size() >> shift & 0xff));
  }
  return size + header + tensor;
}

class FailedErase : public ::testing::TestWithParam<const char*> {};

TEST_P(FailedErase, CountsTheBasesOfDeltasAsTheyAre) {
  const testing::TemporaryDirectory directory;
  const std::string store = directory / "store";
  {
    const auto filesystem = must(Filesystem::open(store, slow_timers()));
    for (const bool trained : {false, true}) {
      const auto made =
          must(filesystem->create(kRootInode, trained ? "step2" : "step1", 0644, O_RDWR, {}));
      const std::string content = safetensors_of(bf16_tensor(1'000'000, trained));
      must(filesystem->write(made.handle, 0, bytes_of(content)));
      filesystem->release(made.handle);
      filesystem->forget(made.attributes.inode, 1);
      must(filesystem->sync_all());
    }
    std::size_t delta_count = 0;
    must(filesystem->blobs().for_each(store::BlobId::none, [&](const store::BlobRecord& record) {
      delta_count += record.base != store::BlobId::none ? 1 : 0;
      return true;
    }));
    ASSERT_GT(delta_count, 5U);
    must(filesystem->unlink(kRootInode, "step2"));
    const Armed armed(std::string(GetParam()) + "=eio");
    EXPECT_EQ(code_of(filesystem->collect_garbage(/*dry_run=*/false)), Code::io);
    // As a crash there would leave it.
    std::filesystem::copy(store, directory / "crashed", std::filesystem::copy_options::recursive);
  }
  for (const std::string& left : {store, directory / "crashed"}) {
    std::filesystem::remove(left + "/meta/lock.mdb");
    std::filesystem::remove(left + "/blobs/lock.mdb");
    expect_clean(left);
    EXPECT_EQ(read_store(left),
              (Contents{{"step1", safetensors_of(bf16_tensor(1'000'000, false))}}));
    expect_clean(left);
    expect_empty_when_emptied(left);
  }
}

INSTANTIATE_TEST_SUITE_P(AtEachPoint, FailedErase,
                         ::testing::Values("reaper.before_erase", "store.erase.before",
                                           "store.erase.after", "reaper.after_erase"),
                         [](const auto& point) {
                           std::string name = point.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

// A closed store with one sealed file of noise, so that its bytes can be found in data.mdb.
class DamagedStore : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto filesystem = must(Filesystem::open(store(), crash_options()));
    add_file(*filesystem, "file");
  }
  void add_file(Filesystem& filesystem, const std::string& name) {
    const auto made = must(filesystem.create(kRootInode, name, 0644, O_RDWR, {}));
    must(filesystem.write(made.handle, 0, bytes_of(content_)));
    filesystem.release(made.handle);
    must(filesystem.sync_all());
  }
  std::string store() const { return directory_ / "store"; }
  std::string data_file() const { return store() + "/blobs/data.mdb"; }
  void change_data(const std::function<void(std::string&)>& change) {
    std::string bytes = must(read_whole_file(data_file()));
    change(bytes);
    std::ofstream(data_file(), std::ios::binary | std::ios::trunc) << bytes;
  }
  void flip_bit_of(std::size_t content_offset) {
    change_data([&](std::string& bytes) {
      const std::size_t at = bytes.find(content_.substr(content_offset, 32));
      ASSERT_NE(at, std::string::npos);
      bytes[at] = static_cast<char>(bytes[at] ^ 4);
    });
  }

  const std::string content_ = random_text(kFileBytes, 3);
  testing::TemporaryDirectory directory_;
};

TEST_F(DamagedStore, AnswersAnErrorAndNamesTheFileForAFlippedBit) {
  flip_bit_of(500'000);
  const auto filesystem = must(Filesystem::open(store(), crash_options()));
  const Attributes found = must(filesystem->lookup(kRootInode, "file"));
  const Handle handle = must(filesystem->open_file(found.inode, O_RDONLY));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(code_of(filesystem->read(handle, 500'000, 32)), Code::io);
  const std::string logged = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(logged.find("(file)"), std::string::npos) << logged;
  EXPECT_NE(logged.find("offset 500000"), std::string::npos) << logged;
  EXPECT_NE(logged.find("blob "), std::string::npos) << logged;
  EXPECT_TRUE(filesystem->read(handle, 0, 32));  // another block
  filesystem->release(handle);
}

TEST_F(DamagedStore, IsHealedByARewriteOfTheSameContent) {
  flip_bit_of(500'000);
  {
    const auto filesystem = must(Filesystem::open(store(), crash_options()));
    const Attributes found = must(filesystem->lookup(kRootInode, "file"));
    const Handle handle = must(filesystem->open_file(found.inode, O_RDONLY));
    EXPECT_FALSE(filesystem->read(handle, 500'000, 32));
    filesystem->release(handle);
    add_file(*filesystem, "again");
  }
  EXPECT_EQ(read_store(store()), (Contents{{"again", content_}, {"file", content_}}));
  expect_clean(store());
}

TEST_F(DamagedStore, NeverGivesWrongBytesForRandomDamage) {
  const std::string whole = must(read_whole_file(data_file()));
  std::mt19937_64 random(17);
  for (int round = 0; round < 40; ++round) {
    change_data([&](std::string& bytes) {
      bytes = whole;
      for (int flips = 0; flips < 8; ++flips) bytes[random() % bytes.size()] ^= 0x11;
    });
    const auto filesystem = Filesystem::open(store(), crash_options());
    if (!filesystem) continue;  // refused
    const auto found = (*filesystem)->lookup(kRootInode, "file");
    ASSERT_TRUE(found);
    const Handle handle = must((*filesystem)->open_file(found->inode, O_RDONLY));
    for (std::size_t at = 0; at < content_.size(); at += 50'000) {
      const auto read = (*filesystem)->read(handle, at, 1000);
      if (!read) continue;
      std::string text;
      for (const Segment& segment : read->segments) text += text_of(segment.bytes);
      ASSERT_TRUE(text == content_.substr(at, 1000)) << "round " << round << " at " << at;
    }
    (*filesystem)->release(handle);
  }
}

TEST_F(DamagedStore, IsRefusedWhenItsDataIsCutOffOrForeign) {
  change_data([](std::string& bytes) { bytes.resize(bytes.size() / 2); });
  auto opened = Filesystem::open(store(), crash_options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::corrupt) << opened.error().message;
  change_data([](std::string& bytes) { bytes = "SQLite format 3\n" + std::string(20'000, 'x'); });
  opened = Filesystem::open(store(), crash_options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::corrupt) << opened.error().message;
  EXPECT_NE(opened.error().message.find(data_file()), std::string::npos) << opened.error().message;
}

TEST_F(DamagedStore, IsRefusedWhenANewerVersionMadeIt) {
  std::ofstream(store() + "/format") << "weightfs store 99\n";
  const auto opened = Filesystem::open(store(), crash_options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::newer_version);
  EXPECT_NE(opened.error().message.find("upgrade"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace weightfs::fs
