#include "weightfs/fs/filesystem.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "harness.h"
#include "weightfs/tree/tree.h"

namespace weightfs::fs {
namespace {

TEST(Filesystem, ReadsBackWhatWasWrittenBeforeAndAfterTheSeal) {
  Harness fs;
  const std::string content = random_text(3'000'000, 1);
  const InodeNumber file = fs.make_file("a", content);
  EXPECT_EQ(fs.read_all(file), content);
  must(fs->sync_all());
  EXPECT_TRUE(must(fs->get_attributes(file)).settled);
  EXPECT_EQ(fs.read_all(file), content);
  fs.reopen();
  EXPECT_EQ(fs.read_all(must(fs->lookup(kRootInode, "a")).inode), content);
}

TEST(Filesystem, StoresTheSameContentOnce) {
  Harness fs;
  const std::string content = random_text(2'000'000, 2);
  fs.make_file("a", content);
  must(fs->sync_all());
  const std::uint64_t once = must(fs->blobs().stats()).blob_count;
  fs.make_file("b", content);
  must(fs->sync_all());
  EXPECT_GT(once, 0u);
  EXPECT_EQ(must(fs->blobs().stats()).blob_count, once);
}

TEST(Filesystem, FreesTheBlobsOfARemovedFile) {
  Harness fs;
  const InodeNumber file = fs.make_file("a", random_text(2'000'000, 3));
  must(fs->sync_all());
  must(fs->unlink(kRootInode, "a"));
  fs->forget(file, 1);
  must(fs->collect_garbage(/*dry_run=*/false));
  EXPECT_EQ(must(fs->blobs().stats()).blob_count, 0u);
}

TEST(Filesystem, KeepsAnUnlinkedFileWhileItIsOpen) {
  Harness fs;
  const InodeNumber file = fs.make_file("a", "content");
  const Handle handle = must(fs->open_file(file, O_RDWR));
  must(fs->unlink(kRootInode, "a"));
  fs->forget(file, 1);
  EXPECT_EQ(fs.read(handle, 0, 100), "content");
  must(fs->write(handle, 7, bytes_of(std::string_view(" and more"))));
  EXPECT_EQ(fs.read(handle, 0, 100), "content and more");
  fs->release(handle);
  EXPECT_FALSE(fs->get_attributes(file));
}

TEST(Filesystem, AnUnnamedFileHasTheGroupOfItsSetgidDirectory) {
  Harness fs;
  const Caller caller{.uid = 3, .gid = 4, .umask = 022};
  const InodeNumber plain = must(fs->make_directory(kRootInode, "plain", 0755, {})).inode;
  const InodeNumber shared = must(fs->make_directory(kRootInode, "shared", 02775, {})).inode;
  SetAttributes changes;
  changes.gid = 7;
  must(fs->set_attributes(shared, changes));
  EXPECT_EQ(must(fs->create_unnamed(plain, 0666, O_RDWR, caller)).attributes.gid, 4U);
  EXPECT_EQ(must(fs->create_unnamed(shared, 0666, O_RDWR, caller)).attributes.gid, 7U);
}

TEST(Filesystem, GivesReservedRoomBackWhenTheFileIsClosed) {
  constexpr std::uint64_t kReservedBytes = std::uint64_t{8} << 20;
  Harness fs;
  const InodeNumber empty = fs.make_file("empty", "");
  const std::string content = random_text(300'000, 6);
  const InodeNumber sealed = fs.make_file("sealed", content);
  must(fs->sync_all());
  for (const InodeNumber file : {empty, sealed}) {
    const std::uint64_t blocks_before = must(fs->get_attributes(file)).blocks_512;
    const Handle handle = must(fs->open_file(file, O_RDWR));
    must(fs->allocate(handle, AllocateKind::keep_size, 0, kReservedBytes));
    EXPECT_GE(must(fs->get_attributes(file)).blocks_512, (kReservedBytes - 300'000) / 512);
    must(fs->sync(handle));
    EXPECT_GE(must(fs->get_attributes(file)).blocks_512, (kReservedBytes - 300'000) / 512);
    fs->release(handle);
    must(fs->sync_all());
    EXPECT_EQ(must(fs->get_attributes(file)).blocks_512, blocks_before);
  }
  EXPECT_EQ(fs.read_all(sealed), content);
  EXPECT_TRUE(std::filesystem::is_empty(fs.store_path() + "/staging"));
}

TEST(Filesystem, GivesPunchedRoomBackAtOnceAndReservesWhatIsZeroed) {
  constexpr std::uint64_t kUnit = std::uint64_t{1} << 20;
  Harness fs;
  const InodeNumber file = fs.make_file("a", "");
  const Handle handle = must(fs->open_file(file, O_RDWR));
  const std::string content = random_text(3 * kUnit, 8);
  must(fs->write(handle, 0, bytes_of(content)));
  const std::uint64_t full = must(fs->get_attributes(file)).blocks_512;
  must(fs->allocate(handle, AllocateKind::punch_hole, kUnit, kUnit));
  EXPECT_EQ(must(fs->get_attributes(file)).blocks_512, full - kUnit / 512);
  must(fs->allocate(handle, AllocateKind::zero_range, kUnit - 1, kUnit + 2));
  EXPECT_EQ(must(fs->get_attributes(file)).blocks_512, full);
  std::string expected = content;
  expected.replace(kUnit - 1, kUnit + 2, kUnit + 2, '\0');
  EXPECT_EQ(fs.read(handle, 0, expected.size()), expected);
  fs->release(handle);
}

TEST(Filesystem, ReservesNothingForBytesThatAreThere) {
  Harness fs;
  const InodeNumber file = fs.make_file("a", random_text(2'000'000, 7));
  must(fs->sync_all());
  const Handle handle = must(fs->open_file(file, O_RDWR));
  must(fs->allocate(handle, AllocateKind::allocate, 0, 2'000'000));
  EXPECT_TRUE(std::filesystem::is_empty(fs.store_path() + "/staging"));
  fs->release(handle);
}

TEST(Filesystem, OverlaysASealedFileWithWhatIsWritten) {
  Harness fs;
  std::string content = random_text(2'000'000, 4);
  const InodeNumber file = fs.make_file("a", content);
  must(fs->sync_all());
  const std::uint64_t blobs_before = must(fs->blobs().stats()).blob_count;
  const Handle handle = must(fs->open_file(file, O_RDWR));
  must(fs->write(handle, 1'000'000, bytes_of(std::string_view("changed"))));
  content.replace(1'000'000, 7, "changed");
  EXPECT_EQ(fs.read(handle, 0, content.size()), content);
  fs->release(handle);
  must(fs->sync_all());
  EXPECT_EQ(fs.read_all(file), content);
  must(fs->collect_garbage(false));
  EXPECT_LE(must(fs->blobs().stats()).blob_count, blobs_before + 2);
}

TEST(Filesystem, ShowsZerosWhereAFileWasCutAndGrownAgain) {
  Harness fs;
  const InodeNumber file = fs.make_file("a", std::string(1000, 'x'));
  must(fs->sync_all());
  SetAttributes cut;
  cut.size_bytes = 100;
  must(fs->set_attributes(file, cut));
  cut.size_bytes = 200;
  must(fs->set_attributes(file, cut));
  EXPECT_EQ(fs.read_all(file), std::string(100, 'x') + std::string(100, '\0'));
  must(fs->sync_all());
  EXPECT_EQ(fs.read_all(file), std::string(100, 'x') + std::string(100, '\0'));
}

TEST(Filesystem, ListsEachEntryOnceWhileOthersComeAndGo) {
  Harness fs;
  for (int i = 0; i < 1000; ++i) fs.make_file("stays" + std::to_string(i), "");
  const Handle handle = must(fs->open_directory(kRootInode));
  std::multiset<std::string> seen;
  std::uint64_t cookie = 0;
  for (int round = 0;; ++round) {
    const auto entries = must(fs->read_directory(handle, cookie, 37));
    if (entries.empty()) break;
    for (const DirectoryEntry& entry : entries) {
      seen.insert(entry.name);
      cookie = entry.next_cookie;
    }
    if (round < 20) {
      fs.make_file("new" + std::to_string(round), "");
      if (round > 0) must(fs->unlink(kRootInode, "new" + std::to_string(round - 1)));
    }
  }
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen.count("stays" + std::to_string(i)), 1u);
  fs->release(handle);
}

TEST(Filesystem, RenamesOverAFileAndDropsIt) {
  Harness fs;
  const InodeNumber a = fs.make_file("a", "first");
  const InodeNumber b = fs.make_file("b", "second");
  must(fs->rename(
      {.old_parent = kRootInode, .old_name = "a", .new_parent = kRootInode, .new_name = "b"}));
  EXPECT_FALSE(fs->lookup(kRootInode, "a"));
  EXPECT_EQ(must(fs->lookup(kRootInode, "b")).inode, a);
  fs->forget(b, 1);
  EXPECT_FALSE(fs->get_attributes(b));
}

TEST(Filesystem, RefusesToMoveADirectoryIntoItself) {
  Harness fs;
  const InodeNumber outer = must(fs->make_directory(kRootInode, "outer", 0755, {})).inode;
  const InodeNumber inner = must(fs->make_directory(outer, "inner", 0755, {})).inode;
  const Status moved = fs->rename(
      {.old_parent = kRootInode, .old_name = "outer", .new_parent = inner, .new_name = "again"});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Code::invalid);
}

TEST(Filesystem, SharesARecipeWhenAWholeFileIsCopied) {
  Harness fs;
  const std::string content = random_text(1'000'000, 5);
  const InodeNumber source = fs.make_file("a", content);
  must(fs->sync_all());
  const auto copy = must(fs->create(kRootInode, "b", 0644, O_RDWR, {}));
  const Handle from = must(fs->open_file(source, O_RDONLY));
  EXPECT_EQ(
      must(fs->copy_range({.source = from, .target = copy.handle, .length_bytes = content.size()})),
      content.size());
  fs->release(from);
  fs->release(copy.handle);
  EXPECT_TRUE(must(fs->get_attributes(copy.attributes.inode)).settled);
  must(fs->unlink(kRootInode, "a"));
  fs->forget(source, 2);
  must(fs->collect_garbage(false));
  EXPECT_EQ(fs.read_all(copy.attributes.inode), content);
}

TEST(Filesystem, FindsHolesInDirtyAndInSealedFiles) {
  Harness fs;
  const auto made = must(fs->create(kRootInode, "sparse", 0644, O_RDWR, {}));
  constexpr std::uint64_t kFar = std::uint64_t{1} << 41;
  must(fs->write(made.handle, kFar, bytes_of(std::string_view("end"))));
  EXPECT_EQ(must(fs->seek(made.handle, 0, SeekKind::hole)), 0u);
  EXPECT_GT(must(fs->seek(made.handle, 0, SeekKind::data)), kFar - 65536);
  fs->release(made.handle);
  must(fs->sync_all());
  const Handle handle = must(fs->open_file(made.attributes.inode, O_RDONLY));
  EXPECT_EQ(must(fs->seek(handle, 0, SeekKind::hole)), 0u);
  EXPECT_GT(must(fs->seek(handle, 0, SeekKind::data)), kFar - (1 << 20));
  EXPECT_EQ(fs.read(handle, kFar, 10), "end");
  fs->release(handle);
}

TEST(Filesystem, InheritsADefaultAclInsteadOfTheUmask) {
  Harness fs;
  const InodeNumber directory = must(fs->make_directory(kRootInode, "d", 0755, {})).inode;
  ByteWriter acl;
  acl.u32(2);
  for (const std::uint16_t tag : {std::uint16_t{1}, std::uint16_t{4}, std::uint16_t{0x20}}) {
    acl.u16(tag);
    acl.u16(tag == 1 ? 7 : 5);
    acl.u32(~0U);
  }
  must(fs->set_xattr(directory, "system.posix_acl_default", acl.view(), XattrMode::create));
  const auto made =
      must(fs->make_node(directory, "f", S_IFREG | 0666, 0, {.uid = 0, .gid = 0, .umask = 077}));
  EXPECT_EQ(made.mode & 0777, 0644u);
}

TEST(Filesystem, RefusesANameOf256Bytes) {
  Harness fs;
  const auto made = fs->create(kRootInode, std::string(256, 'n'), 0644, O_RDWR, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::name_too_long);
}

TEST(Filesystem, IsTakenByOneProcessOrHandleAtATime) {
  Harness fs;
  const auto second = Filesystem::open(fs.store_path(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
}

}  // namespace
}  // namespace weightfs::fs
