#include "weightfs/ops/transfer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "model_files.h"
#include "weightfs/ops/fsck.h"

namespace weightfs::ops {
namespace {

using fs::must;
using fs::random_text;

constexpr std::size_t kFileBytes = 700'000;

struct stat status_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

void set_time(const std::string& path, time_t seconds, long nanoseconds) {
  const timespec times[] = {{.tv_sec = seconds, .tv_nsec = nanoseconds},
                            {.tv_sec = seconds + 1, .tv_nsec = nanoseconds}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
}

class Transfer : public ::testing::Test {
 protected:
  Transfer() {
    store_.close();
    source_ = directory_ / "source";
    std::filesystem::create_directories(source_ + "/sub/empty");
    write_file(source_ + "/model", random_text(kFileBytes, 1));
    write_file(source_ + "/sub/copy", random_text(kFileBytes, 1));
    write_file(source_ + "/nothing", "");
    std::filesystem::create_symlink("../model", source_ + "/sub/link");
    std::filesystem::create_hard_link(source_ + "/model", source_ + "/sub/again");
    EXPECT_EQ(::mkfifo((source_ + "/fifo").c_str(), 0640), 0);
    std::filesystem::permissions(source_ + "/model", std::filesystem::perms(0640));
    has_xattrs_ = ::setxattr((source_ + "/model").c_str(), "user.note", "hello", 5, 0) == 0;
    set_time(source_ + "/model", 1'000'000'000, 123'456'789);
    set_time(source_ + "/sub/link", 1'000'000'010, 1);
    set_time(source_ + "/sub", 1'000'000'020, 2);
    set_time(source_, 1'000'000'030, 3);
  }

  TransferResult import(const std::string& source, const std::string& path = "") {
    return must(
        import_files({.sources = {source}, .target = store_.store_path() + path, .progress = {}}));
  }
  TransferResult export_to(const std::string& path, const std::string& destination) {
    return must(export_files(
        {.source = store_.store_path() + ":" + path, .destination = destination, .progress = {}}));
  }
  void expect_same(const std::string& a, const std::string& b) {
    const struct stat of_a = status_of(a);
    const struct stat of_b = status_of(b);
    EXPECT_EQ(of_a.st_mode, of_b.st_mode) << b;
    EXPECT_EQ(of_a.st_mtim.tv_sec, of_b.st_mtim.tv_sec) << b;
    EXPECT_EQ(of_a.st_mtim.tv_nsec, of_b.st_mtim.tv_nsec) << b;
    EXPECT_EQ(of_a.st_uid, of_b.st_uid) << b;
    if (S_ISREG(of_a.st_mode)) {
      EXPECT_EQ(read_file(a), read_file(b)) << b;
    }
  }

  testing::TemporaryDirectory directory_;
  fs::Harness store_;
  std::string source_;
  bool has_xattrs_ = false;
};

TEST_F(Transfer, BringsATreeInAndOutExactly) {
  const TransferResult imported = import(source_);
  EXPECT_TRUE(imported.errors.empty());
  EXPECT_EQ(imported.files, 3U);  // model or its other name, the copy, the empty one
  EXPECT_EQ(imported.bytes, 2 * kFileBytes);
  EXPECT_LT(imported.stored_bytes, kFileBytes + 100'000);
  const std::string out = directory_ / "out";
  EXPECT_TRUE(export_to("/source", out).errors.empty());
  for (const char* name : {"", "/model", "/nothing", "/fifo", "/sub", "/sub/copy", "/sub/empty",
                           "/sub/link", "/sub/again"}) {
    expect_same(source_ + name, out + "/source" + name);
  }
  EXPECT_EQ(std::filesystem::read_symlink(out + "/source/sub/link"), "../model");
  EXPECT_EQ(status_of(out + "/source/model").st_ino, status_of(out + "/source/sub/again").st_ino);
  if (has_xattrs_) {
    char value[16] = {};
    EXPECT_EQ(::getxattr((out + "/source/model").c_str(), "user.note", value, sizeof value), 5);
    EXPECT_STREQ(value, "hello");
  }
  EXPECT_TRUE(must(check_store(store_.store_path(), {})).is_clean());
}

TEST_F(Transfer, PassesOverWhatIsThereAlready) {
  import(source_);
  const TransferResult again = import(source_);
  EXPECT_EQ(again.files, 0U);
  EXPECT_EQ(again.skipped, 3U);
  EXPECT_EQ(again.stored_bytes, 0U);
  write_file(source_ + "/sub/copy", "changed");
  const TransferResult changed = import(source_);
  EXPECT_EQ(changed.files, 1U);
  EXPECT_EQ(changed.skipped, 2U);
  const std::string out = directory_ / "out";
  EXPECT_EQ(export_to("/source", out).files, 3U);
  EXPECT_EQ(export_to("/source", out).skipped, 3U);
  EXPECT_EQ(read_file(out + "/source/sub/copy"), "changed");
}

TEST_F(Transfer, TakesOnlyWhatADirectoryHoldsWithASlashBehindIt) {
  import(source_ + "/", ":/a/b");
  store_.open();
  const auto a = must(store_->lookup(fs::kRootInode, "a"));
  const auto b = must(store_->lookup(a.inode, "b"));
  EXPECT_EQ(must(store_->lookup(b.inode, "model")).size_bytes, kFileBytes);
  store_.close();
  const std::string out = directory_ / "out";
  export_to("/a/b/", out);
  expect_same(source_ + "/model", out + "/model");
  const std::string file = directory_ / "alone";
  export_to("/a/b/model", file);
  expect_same(source_ + "/model", file);
}

TEST_F(Transfer, KeepsHoles) {
  const std::string sparse = source_ + "/sparse";
  write_file(sparse, "begin");
  ASSERT_EQ(::truncate(sparse.c_str(), off_t{1} << 30), 0);
  import(sparse);
  const std::string out = directory_ / "out";
  export_to("/sparse", out);
  EXPECT_EQ(status_of(out).st_size, off_t{1} << 30);
  EXPECT_LT(status_of(out).st_blocks, 4096);
  std::ifstream in(out, std::ios::binary);
  std::string begin(6, 'x');
  in.read(begin.data(), 6);
  EXPECT_EQ(begin, std::string("begin\0", 6));
}

TEST_F(Transfer, GoesOnAfterAFileThatCanNotBeRead) {
  const auto result = must(import_files({.sources = {directory_ / "missing", source_ + "/model"},
                                         .target = store_.store_path(),
                                         .progress = {}}));
  EXPECT_EQ(result.files, 1U);
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].path, directory_ / "missing");
  EXPECT_EQ(to_json(result)["errors"].size(), 1U);
}

TEST_F(Transfer, NeverBringsTheStoreIntoItself) {
  const auto result = must(import_files(
      {.sources = {store_.store_path()}, .target = store_.store_path(), .progress = {}}));
  EXPECT_EQ(result.files, 0U);
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].message, "this is the store itself");
}

TEST_F(Transfer, ReplacesAFileButNoDirectory) {
  import(source_ + "/model");
  write_file(source_ + "/model", "other");
  EXPECT_TRUE(import(source_ + "/model").errors.empty());
  store_.open();
  must(store_->make_directory(fs::kRootInode, "nothing", 0755, {}));
  EXPECT_EQ(store_.read_all(must(store_->lookup(fs::kRootInode, "model")).inode), "other");
  store_.close();
  EXPECT_EQ(import(source_ + "/nothing").errors.size(), 1U);
}

TEST_F(Transfer, CarriesNamesOfAnyBytes) {
  const std::string name = "a\xff\n%41 \xc3\xa9";
  write_file(source_ + "/sub/" + name, "x");
  import(source_);
  const std::string out = directory_ / "out";
  export_to("/source", out);
  EXPECT_EQ(read_file(out + "/source/sub/" + name), "x");
}

TEST_F(Transfer, LeavesNothingOfAFileThatCanNotBeWritten) {
  import(source_);
  const std::string full = directory_ / "full";
  std::filesystem::create_directory(full);
  // A partial file's name is taken by a directory: the file can't be made.
  std::filesystem::create_directory(full + "/.model.weightfs-part");
  const TransferResult result = export_to("/source/model", full);
  EXPECT_EQ(result.files, 0U);
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(full + "/model"));
}

TEST_F(Transfer, TellsProgressUpToTheLastByte) {
  Progress last;
  must(import_files({.sources = {source_},
                     .target = store_.store_path(),
                     .progress = [&last](const Progress& progress) { last = progress; }}));
  EXPECT_GT(last.total_bytes, 0U);
  EXPECT_GT(last.done_items, 0U);
  EXPECT_GT(last.stored_bytes, 0U);
}

TEST_F(Transfer, WantsATargetThatIsAStore) {
  const auto result =
      import_files({.sources = {source_}, .target = directory_ / "source", .progress = {}});
  EXPECT_EQ(result.error().code, Code::invalid);
  EXPECT_EQ(export_files({.source = store_.store_path() + ":/nowhere",
                          .destination = directory_ / "out",
                          .progress = {}})
                .error()
                .code,
            Code::not_found);
}

}  // namespace
}  // namespace weightfs::ops
