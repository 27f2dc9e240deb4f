#include "weightfs/base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "../kv/temporary_directory.h"

namespace weightfs {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

class FdTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory.path() + "/" + name; }
  // A file with `text` in it.
  UniqueFd file_with(std::string_view text) {
    UniqueFd fd = std::move(*open_file(path("file"), O_RDWR | O_CREAT | O_TRUNC));
    EXPECT_TRUE(write_exactly(fd.get(), 0, bytes_of(text)));
    return fd;
  }

  kv::TemporaryDirectory directory;
};

TEST_F(FdTest, ClosesItsDescriptorOnceAndMovesIt) {
  UniqueFd first = file_with("x");
  const int number = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first);
  EXPECT_EQ(second.get(), number);
  second = UniqueFd();
  EXPECT_FALSE(is_open(number));
}

TEST_F(FdTest, ReleasesADescriptorWithoutClosingIt) {
  UniqueFd fd = file_with("x");
  const UniqueFd released(fd.release());
  fd.reset();
  EXPECT_TRUE(is_open(released.get()));
}

TEST_F(FdTest, OpensWithCloseOnExecAndSaysWhyNot) {
  const UniqueFd fd = file_with("x");
  EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  const auto missing = open_file(path("missing"), O_RDONLY);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
  EXPECT_NE(missing.error().message.find(path("missing")), std::string::npos);
}

TEST_F(FdTest, ReadsExactlyOrFails) {
  const UniqueFd fd = file_with("0123456789");
  std::byte four[4];
  ASSERT_TRUE(read_exactly(fd.get(), 6, four));
  EXPECT_EQ(text_of(four), "6789");
  EXPECT_EQ(read_exactly(fd.get(), 7, four).error().code, Code::io);
}

TEST_F(FdTest, ReadsUpToTheEnd) {
  const UniqueFd fd = file_with("0123456789");
  std::byte four[4];
  EXPECT_EQ(read_up_to(fd.get(), 7, four), 3u);
  EXPECT_EQ(read_up_to(fd.get(), 10, four), 0u);
}

TEST_F(FdTest, WritesAtAnOffset) {
  const UniqueFd fd = file_with("0123456789");
  ASSERT_TRUE(write_exactly(fd.get(), 3, bytes_of("abc")));
  ASSERT_TRUE(sync_data(fd.get()));
  ASSERT_TRUE(sync_directory(directory.path()));
  EXPECT_EQ(read_whole_file(path("file")), "012abc6789");
}

TEST_F(FdTest, ReadsAWholeFileOfAnySize) {
  const std::string text(200'000, 'x');
  const UniqueFd fd = file_with(text);
  EXPECT_TRUE(read_whole_file(path("file")) == text);
  EXPECT_EQ(read_whole_file(path("missing")).error().code, Code::not_found);
}

TEST_F(FdTest, TellsWhenWritesFail) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(write_exactly(full.get(), 0, bytes_of("x")).error().code, Code::no_space);
}

TEST_F(FdTest, IsASourceOfTheFilesBytes) {
  file_with("0123456789");
  const auto source = FdSource::open(path("file"));
  ASSERT_TRUE(source);
  EXPECT_EQ(source->size_bytes(), 10u);
  std::byte two[2];
  ASSERT_TRUE(source->read_at(8, two));
  EXPECT_EQ(text_of(two), "89");
  EXPECT_FALSE(source->read_at(9, two));
}

TEST_F(FdTest, FindsTheDataBehindAHole) {
  const UniqueFd fd = file_with("");
  constexpr std::uint64_t kHole = std::uint64_t{1} << 20;
  ASSERT_TRUE(write_exactly(fd.get(), kHole, bytes_of("data")));
  ASSERT_EQ(::ftruncate(fd.get(), 2 * kHole), 0);
  const auto source = FdSource::open(path("file"));
  EXPECT_EQ(source->next_data(0), kHole);
  EXPECT_EQ(source->next_data(kHole + 1), kHole + 1);
  EXPECT_EQ(source->next_data(kHole + 65'536), 2 * kHole);
}

TEST(SpanSource, RefusesToReadPastTheEnd) {
  const SpanSource source(bytes_of("0123"));
  std::byte two[2];
  ASSERT_TRUE(source.read_at(2, two));
  EXPECT_EQ(text_of(two), "23");
  EXPECT_EQ(source.read_at(3, two).error().code, Code::invalid);
  EXPECT_EQ(source.read_at(~std::uint64_t{0}, two).error().code, Code::invalid);
  EXPECT_TRUE(source.read_at(4, {}));
}

}  // namespace
}  // namespace weightfs
