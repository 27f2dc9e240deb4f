// Files whose bytes are written to their descriptor by somebody who does not tell, as the kernel
// does (FUSE passthrough).
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "crash_worker.h"
#include "fault_tools.h"
#include "weightfs/base/fd.h"

namespace weightfs::fs {
namespace {

class Lending : public ::testing::Test {
 protected:
  Filesystem::Created create(const std::string& name, int flags = O_RDWR) {
    return must(fs_->create(kRootInode, name, 0644, flags, {}));
  }
  // A new file that is lent, and its descriptor.
  std::pair<Filesystem::Created, int> lent(const std::string& name) {
    const auto made = create(name);
    const std::optional<int> fd = fs_->lend(made.handle);
    EXPECT_TRUE(fd.has_value());
    return {made, fd.value_or(-1)};
  }
  Attributes attributes(InodeNumber inode) { return must(fs_->get_attributes(inode)); }
  void set_size(InodeNumber inode, std::uint64_t size_bytes) {
    SetAttributes changes;
    changes.size_bytes = size_bytes;
    must(fs_->set_attributes(inode, changes));
  }
  static void write(int fd, std::uint64_t offset, std::string_view text) {
    must(write_exactly(fd, offset, bytes_of(text)));
  }

  Harness fs_{slow_timers()};
};

TEST_F(Lending, OnlyNewFilesAreLent) {
  const auto read_only = create("read only", O_RDONLY);
  EXPECT_FALSE(fs_->lend(read_only.handle));
  const auto opened = create("opened twice");
  const Handle second = must(fs_->open_file(opened.attributes.inode, O_RDWR));
  EXPECT_FALSE(fs_->lend(opened.handle));
  const Handle old = must(fs_->open_file(fs_.make_file("old", "text"), O_RDWR));
  EXPECT_FALSE(fs_->lend(old));
  for (const Handle handle : {read_only.handle, opened.handle, second, old}) {
    fs_->release(handle);
  }
}

TEST_F(Lending, WhatTheDescriptorGetsIsTheFile) {
  const auto [made, fd] = lent("file");
  const Attributes before = attributes(made.attributes.inode);
  write(fd, 0, "some text");
  const Attributes after = attributes(made.attributes.inode);
  EXPECT_EQ(after.size_bytes, 9U);
  EXPECT_GT(after.blocks_512, 0U);  // else tar --sparse takes it for a hole
  EXPECT_FALSE(after.settled);
  EXPECT_GE(std::pair(after.mtime.tv_sec, after.mtime.tv_nsec),
            std::pair(before.mtime.tv_sec, before.mtime.tv_nsec));
  EXPECT_EQ(fs_.read(made.handle, 5, 100), "text");
  must(fs_->write(made.handle, 9, bytes_of(std::string_view(" more"))));
  EXPECT_EQ(fs_.read(made.handle, 0, 100), "some text more");
  fs_->release(made.handle);
  EXPECT_EQ(fs_.read_all(made.attributes.inode), "some text more");
}

TEST_F(Lending, EveryOtherHandleIsLentTooUntilTheLastIsReleased) {
  const auto [made, fd] = lent("file");
  const Handle reader = must(fs_->open_file(made.attributes.inode, O_RDONLY));
  EXPECT_EQ(fs_->lend(reader), fd);
  fs_->release(made.handle);
  const Handle next = must(fs_->open_file(made.attributes.inode, O_RDWR));
  EXPECT_EQ(fs_->lend(next), fd);
  write(fd, 0, "text");
  fs_->release(next);
  fs_->release(reader);
  const Handle last = must(fs_->open_file(made.attributes.inode, O_RDWR));
  EXPECT_FALSE(fs_->lend(last));
  EXPECT_EQ(fs_.read(last, 0, 100), "text");
  fs_->release(last);
}

TEST_F(Lending, CanBeTakenBack) {
  const auto [made, fd] = lent("file");
  EXPECT_GE(fd, 0);
  fs_->take_back(made.handle);
  must(fs_->write(made.handle, 0, bytes_of(std::string_view("text"))));
  EXPECT_EQ(fs_.read(made.handle, 0, 100), "text");
  fs_->release(made.handle);
}

TEST_F(Lending, IsSealedWhenTheLastHandleIsReleased) {
  const std::string content = random_text(700'000, 1);
  const auto [made, fd] = lent("file");
  write(fd, 0, content);
  must(fs_->sync_all());
  EXPECT_FALSE(attributes(made.attributes.inode).settled);
  fs_->release(made.handle);
  must(fs_->sync_all());
  EXPECT_TRUE(attributes(made.attributes.inode).settled);
  EXPECT_EQ(fs_.read_all(made.attributes.inode), content);
}

TEST_F(Lending, TruncatingChangesTheDescriptor) {
  const auto [made, fd] = lent("file");
  write(fd, 0, "some text");
  set_size(made.attributes.inode, 4);
  EXPECT_EQ(::lseek(fd, 0, SEEK_END), 4);
  must(fs_->sync(made.handle));  // a crash comes back to it from here on
  set_size(made.attributes.inode, 2);
  EXPECT_EQ(::lseek(fd, 0, SEEK_END), 2);
  set_size(made.attributes.inode, 5);
  EXPECT_EQ(fs_.read(made.handle, 0, 100), std::string("so\0\0\0", 5));
  set_size(made.attributes.inode, 0);
  write(fd, 0, "new");
  fs_->release(made.handle);
  EXPECT_EQ(fs_.read_all(made.attributes.inode), "new");
}

TEST_F(Lending, AllocatingChangesTheDescriptor) {
  const auto [made, fd] = lent("file");
  write(fd, 0, std::string(20'000, 'x'));
  must(fs_->allocate(made.handle, AllocateKind::punch_hole, 4096, 8192));
  must(fs_->allocate(made.handle, AllocateKind::zero_range, 16'000, 10'000));
  std::string expected(26'000, '\0');
  expected.replace(0, 4096, 4096, 'x').replace(12'288, 3712, 3712, 'x');
  EXPECT_EQ(fs_.read(made.handle, 0, 30'000), expected);
  EXPECT_EQ(must(fs_->seek(made.handle, 0, SeekKind::hole)), 4096U);
  EXPECT_EQ(must(fs_->seek(made.handle, 4096, SeekKind::data)), 12'288U);
  fs_->release(made.handle);
  EXPECT_EQ(fs_.read_all(made.attributes.inode), expected);
}

TEST_F(Lending, CopiesGoInAndOut) {
  const std::string content = random_text(600'000, 2);
  const InodeNumber source = fs_.make_file("source", content);
  must(fs_->sync_all());
  const Handle from = must(fs_->open_file(source, O_RDONLY));
  const auto [made, fd] = lent("file");
  const auto target = create("target");
  for (std::uint64_t done = 0; done < content.size();) {
    done += must(fs_->copy_range({.source = from,
                                  .source_offset_bytes = done,
                                  .target = made.handle,
                                  .target_offset_bytes = done,
                                  .length_bytes = content.size() - done}));
  }
  write(fd, content.size(), "end");
  const std::uint64_t size = content.size() + 3;
  for (std::uint64_t done = 0; done < size;) {
    done += must(fs_->copy_range({.source = made.handle,
                                  .source_offset_bytes = done,
                                  .target = target.handle,
                                  .target_offset_bytes = done,
                                  .length_bytes = size - done}));
  }
  for (const Handle handle : {from, made.handle, target.handle}) fs_->release(handle);
  EXPECT_TRUE(fs_.read_all(made.attributes.inode) == content + "end");
  EXPECT_TRUE(fs_.read_all(target.attributes.inode) == content + "end");
}

TEST_F(Lending, TimesThatWereSetStay) {
  const auto [made, fd] = lent("file");
  write(fd, 0, "text");
  SetAttributes changes;
  changes.mtime = SetAttributes::Time{.value = {.tv_sec = 1000, .tv_nsec = 5}};
  changes.atime = SetAttributes::Time{.value = {.tv_sec = 2000, .tv_nsec = 6}};
  must(fs_->set_attributes(made.attributes.inode, changes));
  fs_->release(made.handle);
  must(fs_->sync_all());
  const Attributes found = attributes(made.attributes.inode);
  EXPECT_EQ(found.mtime.tv_sec, 1000);
  EXPECT_EQ(found.mtime.tv_nsec, 5);
  EXPECT_EQ(found.atime.tv_sec, 2000);
}

TEST_F(Lending, WhatWasSyncedOutlivesTheNextOpening) {
  const auto [made, fd] = lent("file");
  write(fd, 0, "text");
  must(fs_->sync(made.handle));
  write(fd, 4, " behind");
  fs_.reopen();  // with the handle open, as when a mount ends
  const InodeNumber inode = must(fs_->lookup(kRootInode, "file")).inode;
  EXPECT_EQ(fs_.read_all(inode), "text behind");
}

// A file that is lent can fill the disk to its last byte. What has no name any more must go even
// so.
TEST(LendingOnAFullDisk, LeavesRoomForTheMetadata) {
  testing::TemporaryDirectory directory;
  ASSERT_EQ(::mount("weightfs-test", directory.path().c_str(), "tmpfs", 0, "size=64m"), 0)
      << "this test mounts a tmpfs, and must be run as root";
  const std::string store = directory / "store";
  {
    const auto filesystem = must(Filesystem::open(store, slow_timers()));
    const auto made = must(filesystem->create(kRootInode, "file", 0644, O_RDWR, {}));
    const int fd = filesystem->lend(made.handle).value();
    const std::string block(1 << 20, 'x');
    std::uint64_t size = 0;
    while (write_exactly(fd, size, bytes_of(block))) size += block.size();
    EXPECT_GT(size, std::uint64_t{32} << 20);
    for (int i = 0; i < 100; ++i) {
      const auto other =
          must(filesystem->create(kRootInode, "other" + std::to_string(i), 0644, O_RDWR, {}));
      filesystem->release(other.handle);
    }
    must(filesystem->sync(made.handle));
    SetAttributes changes;
    changes.size_bytes = 3;
    must(filesystem->set_attributes(made.attributes.inode, changes));
    filesystem->release(made.handle);
    must(filesystem->sync_all());
  }
  expect_clean(store);
  EXPECT_EQ(read_store(store).at("file"), "xxx");
  ::umount2(directory.path().c_str(), MNT_DETACH);
}

// Each commit that finds no room takes some of the reserve. Who goes on writing takes what is left.
TEST(LendingOnAFullDisk, AWriterThatDoesNotGiveUpLeavesRoomForTheMetadata) {
  testing::TemporaryDirectory directory;
  ASSERT_EQ(::mount("weightfs-test", directory.path().c_str(), "tmpfs", 0, "size=100m"), 0)
      << "this test mounts a tmpfs, and must be run as root";
  const std::string store = directory / "store";
  {
    const auto filesystem = must(Filesystem::open(store, slow_timers()));
    const auto made = must(filesystem->create(kRootInode, "file", 0644, O_RDWR, {}));
    const int fd = filesystem->lend(made.handle).value();
    const std::string block(4096, 'x');
    std::uint64_t size = 0;
    for (int round = 0; round < 200; ++round) {
      while (write_exactly(fd, size, bytes_of(block))) size += block.size();
      const auto other =
          must(filesystem->create(kRootInode, "other" + std::to_string(round), 0644, O_RDWR, {}));
      filesystem->release(other.handle);
      ASSERT_TRUE(filesystem->sync(made.handle)) << round;
    }
    filesystem->release(made.handle);
    must(filesystem->unlink(kRootInode, "file"));
    filesystem->forget(made.attributes.inode, 1);
    must(filesystem->sync_all());
    const auto next = must(filesystem->create(kRootInode, "next", 0644, O_RDWR, {}));
    must(filesystem->write(next.handle, 0, bytes_of(block)));
    filesystem->release(next.handle);
    must(filesystem->sync_all());
  }
  expect_clean(store);
  ::umount2(directory.path().c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace weightfs::fs
