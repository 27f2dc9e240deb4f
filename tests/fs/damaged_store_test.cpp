// A disk that gives back other bytes than it was given.
#include <gtest/gtest.h>

#include <fstream>

#include "crash_worker.h"
#include "fault_tools.h"
#include "weightfs/base/fd.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kFileBytes = 1'000'000;

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
