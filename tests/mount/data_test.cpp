// Content through the kernel, before and after it is sealed.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Where a file's bytes are: in the blobs, in a staging file that the daemon writes, or in one that
// the kernel writes by itself.
enum class State { sealed, unsealed, lent };

std::string name_of(State state) {
  constexpr std::array kNames{"Sealed", "Unsealed", "Lent"};
  return kNames[static_cast<std::size_t>(state)];
}

// Each test of this fixture runs on a file in each of these states.
class Data : public MountTest, public ::testing::WithParamInterface<State> {
 protected:
  // Makes the file "f" and returns it open for reading and writing.
  UniqueFd file_with(std::string_view content) {
    if (GetParam() == State::lent) {  // until the last descriptor is closed
      UniqueFd fd = must_open(path("f"), O_RDWR | O_CREAT | O_EXCL);
      EXPECT_TRUE(write_exactly(fd.get(), 0, bytes_of(content)));
      return fd;
    }
    write_file(path("f"), content);
    if (GetParam() == State::sealed) seal();
    return must_open(path("f"), O_RDWR);
  }
  std::string content() { return read_file(path("f")); }
};

INSTANTIATE_TEST_SUITE_P(Mount, Data,
                         ::testing::Values(State::sealed, State::unsealed, State::lent),
                         [](const auto& test) { return name_of(test.param); });

class Mapping {
 public:
  Mapping(int fd, std::size_t size_bytes, int protection, int flags)
      : size_bytes_(size_bytes), start_(::mmap(nullptr, size_bytes, protection, flags, fd, 0)) {
    EXPECT_NE(start_, MAP_FAILED) << std::strerror(errno);
  }
  ~Mapping() { ::munmap(start_, size_bytes_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  char* bytes() { return static_cast<char*>(start_); }
  int sync() { return ::msync(start_, size_bytes_, MS_SYNC); }

 private:
  std::size_t size_bytes_;
  void* start_;
};

TEST_P(Data, OverwritesInTheMiddle) {
  std::string expected = noise(3 * kMiB, 1);
  const UniqueFd fd = file_with(expected);
  const std::string patch = noise(1000, 2);
  ASSERT_TRUE(write_exactly(fd.get(), kMiB - 500, bytes_of(patch)));
  expected.replace(kMiB - 500, patch.size(), patch);
  EXPECT_EQ(content(), expected);
}

TEST_P(Data, AppendsAtTheEnd) {
  const UniqueFd held = file_with("start");
  const UniqueFd fd = must_open(path("f"), O_WRONLY | O_APPEND);
  ASSERT_EQ(::write(fd.get(), " end", 4), 4);
  EXPECT_EQ(content(), "start end");
}

TEST_P(Data, TruncatesBothWays) {
  const std::string start = noise(kMiB, 3);
  const UniqueFd fd = file_with(start);
  ASSERT_EQ(::ftruncate(fd.get(), 1000), 0);
  EXPECT_EQ(content(), start.substr(0, 1000));
  ASSERT_EQ(::ftruncate(fd.get(), 5000), 0);
  EXPECT_EQ(content(), start.substr(0, 1000) + std::string(4000, '\0'));
  EXPECT_EQ(must_stat(path("f")).st_size, 5000);
}

TEST_P(Data, OpeningWithTruncateEmpties) {
  const UniqueFd held = file_with(noise(kMiB, 4));
  const UniqueFd fd = must_open(path("f"), O_WRONLY | O_TRUNC);
  EXPECT_EQ(content(), "");
}

TEST_P(Data, ReadsWithDirectIo) {
  const std::string expected = noise(kMiB + 4096, 5);
  const UniqueFd held = file_with(expected);
  const UniqueFd fd = must_open(path("f"), O_RDWR | O_DIRECT);
  const std::unique_ptr<void, decltype(&std::free)> buffer(std::aligned_alloc(4096, 65536),
                                                           &std::free);
  ASSERT_EQ(::pread(fd.get(), buffer.get(), 65536, kMiB / 2), 65536);
  EXPECT_EQ(std::memcmp(buffer.get(), expected.data() + kMiB / 2, 65536), 0);
  std::memset(buffer.get(), 7, 65536);
  ASSERT_EQ(::pwrite(fd.get(), buffer.get(), 65536, 0), 65536);
  EXPECT_EQ(content().substr(0, 65536), std::string(65536, '\7'));
}

TEST_P(Data, ASharedMappingWritesToTheFile) {
  std::string expected = noise(kMiB, 6);
  const UniqueFd fd = file_with(expected);
  {
    Mapping mapping(fd.get(), kMiB, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_EQ(std::memcmp(mapping.bytes(), expected.data(), kMiB), 0);
    std::memcpy(mapping.bytes() + 100, "mapped", 6);
    EXPECT_EQ(mapping.sync(), 0);
  }
  expected.replace(100, 6, "mapped");
  EXPECT_EQ(content(), expected);
}

// The kernel writes pages back through any descriptor, here through the one that appends.
TEST_P(Data, AMappingWritesInPlaceWhereTheFileIsOpenForAppendingToo) {
  std::string expected = noise(kMiB, 13);
  UniqueFd fd = file_with(expected);
  UniqueFd appending = must_open(path("f"), O_WRONLY | O_APPEND);
  {
    Mapping mapping(fd.get(), kMiB, PROT_READ | PROT_WRITE, MAP_SHARED);
    std::memcpy(mapping.bytes() + 100, "mapped", 6);
    EXPECT_EQ(mapping.sync(), 0);
  }
  expected.replace(100, 6, "mapped");
  fd.reset();
  appending.reset();
  remount();  // so that what is read comes from the store, and not from the kernel's pages
  EXPECT_EQ(content(), expected);
}

// O_APPEND is a flag of the descriptor, which fcntl(2) can change.
TEST_P(Data, ADescriptorStopsAppendingWhenItsFlagIsCleared) {
  const UniqueFd held = file_with("start");
  const UniqueFd fd = must_open(path("f"), O_WRONLY | O_APPEND);
  ASSERT_EQ(::fcntl(fd.get(), F_SETFL, 0), 0);
  ASSERT_EQ(::pwrite(fd.get(), "S", 1, 0), 1);
  EXPECT_EQ(content(), "Start");
}

TEST_P(Data, APrivateMappingKeepsItsWritesToItself) {
  const std::string expected = noise(kMiB, 7);
  const UniqueFd fd = file_with(expected);
  Mapping mapping(fd.get(), kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  std::memcpy(mapping.bytes(), "mine", 4);
  EXPECT_EQ(content(), expected);
}

TEST_P(Data, PunchesAHole) {
  std::string expected = noise(kMiB, 8);
  const UniqueFd fd = file_with(expected);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10'000, 300'000), 0);
  expected.replace(10'000, 300'000, std::string(300'000, '\0'));
  EXPECT_EQ(content(), expected);
}

TEST_P(Data, ZeroesARangePastTheEnd) {
  const std::string start = noise(10'000, 9);
  const UniqueFd fd = file_with(start);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, 5000, 20'000), 0);
  EXPECT_EQ(content(), start.substr(0, 5000) + std::string(20'000, '\0'));
}

TEST_P(Data, AllocatesWithAndWithoutTheSize) {
  const UniqueFd fd = file_with("start");
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 100'000), 0);
  EXPECT_EQ(must_stat(path("f")).st_size, 5);
  ASSERT_EQ(::fallocate(fd.get(), 0, 0, 100'000), 0);
  EXPECT_EQ(content(), "start" + std::string(99'995, '\0'));
  EXPECT_EQ(error_of(::fallocate(fd.get(), FALLOC_FL_COLLAPSE_RANGE, 0, 4096)), EOPNOTSUPP);
}

TEST_P(Data, FindsDataAndHoles) {
  const UniqueFd fd = file_with("");
  ASSERT_EQ(::ftruncate(fd.get(), 16 * kMiB), 0);
  ASSERT_TRUE(write_exactly(fd.get(), 8 * kMiB, bytes_of(noise(kMiB, 10))));
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_DATA), 8 * kMiB);
  EXPECT_EQ(::lseek(fd.get(), 8 * kMiB, SEEK_HOLE), 9 * kMiB);
  EXPECT_EQ(error_of(::lseek(fd.get(), 16 * kMiB, SEEK_DATA)), ENXIO);
  seal();
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_DATA), 8 * kMiB);
  EXPECT_EQ(::lseek(fd.get(), 8 * kMiB, SEEK_HOLE), 9 * kMiB);
}

TEST_P(Data, CopiesRangesWithinTheMount) {
  const std::string source = noise(2 * kMiB, 11);
  const UniqueFd from = file_with(source);
  const UniqueFd to = must_open(path("copy"), O_RDWR | O_CREAT);
  off_t from_offset = 0;
  while (static_cast<std::size_t>(from_offset) < source.size()) {
    ASSERT_GT(::copy_file_range(from.get(), &from_offset, to.get(), nullptr, source.size(), 0), 0);
  }
  EXPECT_EQ(read_file(path("copy")), source);
  off_t odd_from = 12'345;
  off_t odd_to = 777;
  ASSERT_EQ(::copy_file_range(from.get(), &odd_from, to.get(), &odd_to, 100'000, 0), 100'000);
  std::string expected = source;
  expected.replace(777, 100'000, source, 12'345, 100'000);
  EXPECT_EQ(read_file(path("copy")), expected);
  EXPECT_EQ(content(), source);
}

TEST_P(Data, ASparseFileBeyondATerabyteTakesNoRoom) {
  constexpr off_t kFar = off_t{3} << 40;
  const UniqueFd fd = file_with("");
  ASSERT_EQ(::pwrite(fd.get(), "far", 3, kFar), 3);
  seal();
  char buffer[4] = {};
  EXPECT_EQ(::pread(fd.get(), buffer, 3, kFar), 3);
  EXPECT_STREQ(buffer, "far");
  EXPECT_EQ(must_stat(path("f")).st_size, kFar + 3);
  EXPECT_LT(must_stat(path("f")).st_blocks, 1000);
}

TEST_P(Data, SurvivesARemount) {
  const std::string expected = noise(5 * kMiB + 17, 12);
  (void)file_with(expected);
  remount();
  EXPECT_EQ(content(), expected);
}

TEST_P(Data, IsSyncedByFsyncFdatasyncAndOfDirectories) {
  const UniqueFd fd = file_with("content");
  EXPECT_EQ(::fsync(fd.get()), 0);
  EXPECT_EQ(::fdatasync(fd.get()), 0);
  const UniqueFd directory = must_open(mount_point(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(::fsync(directory.get()), 0);
}

}  // namespace
}  // namespace weightfs::mount
