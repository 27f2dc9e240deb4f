// Sizes, offsets, holes and ranges at and beyond their limits.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <limits>

#include "posix_test_base.h"

namespace weightfs::mount {
namespace {

constexpr off_t kLargest = std::numeric_limits<off_t>::max();
constexpr off_t kTiB = off_t{1} << 40;

class PosixSizes : public PosixTest {
 protected:
  void SetUp() override {
    PosixTest::SetUp();
    if (HasFatalFailure()) return;
    file_ = make_file("file", "content");
    fd_ = must_open(file_, O_RDWR);
  }
  off_t size() { return must_stat(file_).st_size; }
  int seek(off_t offset, int origin) { return error_of(::lseek(fd_.get(), offset, origin)); }
  ssize_t copy(off_t from, off_t to, std::size_t length) {
    return ::copy_file_range(fd_.get(), &from, fd_.get(), &to, length, 0);
  }

  std::string file_;
  UniqueFd fd_;
};

TEST_F(PosixSizes, TruncateTakesAnySizeThatIsOne) {
  EXPECT_EQ(error_of(::truncate(file_.c_str(), -1)), EINVAL);
  EXPECT_EQ(error_of(::ftruncate(fd_.get(), -1)), EINVAL);
  EXPECT_EQ(::truncate(file_.c_str(), 15 * kTiB), 0);
  EXPECT_EQ(size(), 15 * kTiB);
  char byte = 'x';
  EXPECT_EQ(::pread(fd_.get(), &byte, 1, 15 * kTiB - 1), 1);
  EXPECT_EQ(byte, '\0');
  EXPECT_EQ(::ftruncate(fd_.get(), 7), 0);
  EXPECT_EQ(read_file(file_), "content");
  const UniqueFd reader = must_open(file_, O_RDONLY);
  EXPECT_EQ(error_of(::ftruncate(reader.get(), 1)), EINVAL);
  EXPECT_EQ(error_of(::truncate(root().c_str(), 1)), EISDIR);
}

TEST_F(PosixSizes, WritingBeyondTheLargestOffsetIsRefused) {
  EXPECT_EQ(error_of(::pwrite(fd_.get(), "x", 1, kLargest - 1)), EFBIG);
  EXPECT_EQ(error_of(::pwrite(fd_.get(), "x", 1, -1)), EINVAL);
  EXPECT_EQ(error_of(::pwrite(fd_.get(), "x", 1, kTiB << 10)), EFBIG);
  EXPECT_EQ(error_of(::fallocate(fd_.get(), 0, kLargest, 1)), EFBIG);
  EXPECT_EQ(error_of(::fallocate(fd_.get(), 0, 0, -1)), EINVAL);
  EXPECT_EQ(error_of(::fallocate(fd_.get(), 0, -1, 1)), EINVAL);
  EXPECT_EQ(error_of(::fallocate(fd_.get(), 0, 0, 0)), EINVAL);
  EXPECT_EQ(read_file(file_), "content");
}

TEST_F(PosixSizes, ALimitOfTheProcessIsKept) {
  EXPECT_EQ(
      as(kOwner,
         [&] {
           ::signal(SIGXFSZ, SIG_IGN);
           const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
           ::setrlimit(RLIMIT_FSIZE, &limit);
           const UniqueFd fd(::open(at("limited").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
           if (::pwrite(fd.get(), "0123456789", 10, 995) != 5) return 1;
           if (error_of(::pwrite(fd.get(), "x", 1, 1000)) != EFBIG) return 2;
           if (error_of(::ftruncate(fd.get(), 1001)) != EFBIG) return 3;
           if (error_of(::fallocate(fd.get(), 0, 0, 1001)) != EFBIG) return 4;
           return 0;
         }),
      0);
}

TEST_F(PosixSizes, AHugeHoleCanBeSearched) {
  ASSERT_EQ(::ftruncate(fd_.get(), 10 * kTiB), 0);
  ASSERT_EQ(::pwrite(fd_.get(), "x", 1, 5 * kTiB), 1);
  const auto expect_found = [&] {
    EXPECT_EQ(::lseek(fd_.get(), 1 << 20, SEEK_DATA), 5 * kTiB);
    EXPECT_GT(::lseek(fd_.get(), 5 * kTiB, SEEK_HOLE), 5 * kTiB);
    EXPECT_EQ(seek(6 * kTiB, SEEK_DATA), ENXIO);
    EXPECT_EQ(::lseek(fd_.get(), 6 * kTiB, SEEK_HOLE), 6 * kTiB);
  };
  expect_found();
  if (on_reference()) return;
  fd_.reset();
  seal();
  fd_ = must_open(file_, O_RDWR);
  expect_found();
}

TEST_F(PosixSizes, HolesAndDataAreFoundInWholeBlocks) {
  ASSERT_EQ(::ftruncate(fd_.get(), 0), 0);
  ASSERT_EQ(::ftruncate(fd_.get(), 40 * 4096), 0);
  ASSERT_EQ(::pwrite(fd_.get(), "data", 4, 10 * 4096 + 5), 4);
  EXPECT_EQ(::lseek(fd_.get(), 0, SEEK_DATA), 10 * 4096);
  EXPECT_EQ(::lseek(fd_.get(), 10 * 4096 + 100, SEEK_DATA), 10 * 4096 + 100);
  EXPECT_EQ(::lseek(fd_.get(), 10 * 4096 + 100, SEEK_HOLE), 11 * 4096);
  EXPECT_EQ(::lseek(fd_.get(), 7, SEEK_HOLE), 7);
  EXPECT_EQ(seek(11 * 4096, SEEK_DATA), ENXIO);
  ASSERT_EQ(::pwrite(fd_.get(), "end", 3, 40 * 4096 - 3), 3);
  EXPECT_EQ(::lseek(fd_.get(), 11 * 4096, SEEK_DATA), 39 * 4096);
  EXPECT_EQ(::lseek(fd_.get(), 39 * 4096, SEEK_HOLE), 40 * 4096);
}

TEST_F(PosixSizes, BlocksFollowWhatIsAllocatedPunchedAndZeroed) {
  constexpr off_t kUnit = 1 << 20;
  const UniqueFd fd = must_open(at("file"), O_CREAT | O_RDWR);
  const auto allocated_bytes = [&fd] {
    struct stat status {};
    EXPECT_EQ(::fstat(fd.get(), &status), 0);
    return status.st_blocks * 512;
  };
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 3 * kUnit), 0);
  const off_t reserved = allocated_bytes();
  EXPECT_GE(reserved, 3 * kUnit);
  ASSERT_EQ(::fallocate(fd.get(), 0, 0, 3 * kUnit), 0);
  EXPECT_EQ(allocated_bytes(), reserved);
  const std::string content = noise(3 * kUnit, 1);
  ASSERT_EQ(::pwrite(fd.get(), content.data(), content.size(), 0), 3 * kUnit);
  EXPECT_EQ(allocated_bytes(), reserved);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kUnit, kUnit), 0);
  EXPECT_EQ(allocated_bytes(), reserved - kUnit);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, kUnit - 1, kUnit + 2), 0);
  EXPECT_EQ(allocated_bytes(), reserved);
  ASSERT_EQ(::ftruncate(fd.get(), kUnit), 0);
  EXPECT_EQ(allocated_bytes(), reserved - 2 * kUnit);
  const std::string kept = content.substr(0, kUnit - 1) + std::string(1, '\0');
  EXPECT_EQ(read_file(at("file")), kept);
}

TEST_F(PosixSizes, SeekingOutsideOfTheFileIsRefused) {
  for (const int origin : {SEEK_DATA, SEEK_HOLE}) {
    EXPECT_EQ(seek(7, origin), ENXIO);
    EXPECT_EQ(seek(kLargest, origin), ENXIO);
    EXPECT_EQ(seek(-1, origin), ENXIO);
  }
  EXPECT_EQ(seek(-1, SEEK_SET), EINVAL);
  EXPECT_EQ(::lseek(fd_.get(), 0, SEEK_HOLE), 7);
  EXPECT_EQ(::lseek(fd_.get(), 3, SEEK_DATA), 3);
}

TEST_F(PosixSizes, CopyingRangesHasItsLimits) {
  EXPECT_EQ(copy(0, 3, 7), -1);  // they overlap
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(copy(7, 100, 10), 0);
  EXPECT_EQ(size(), 7);
  EXPECT_EQ(copy(0, 7, 1000), 7);
  EXPECT_EQ(read_file(file_), "contentcontent");
  EXPECT_EQ(copy(0, kLargest - 5, 14), -1);
  EXPECT_EQ(errno, EFBIG);
  const UniqueFd reader = must_open(file_, O_RDONLY);
  EXPECT_EQ(error_of(::copy_file_range(fd_.get(), nullptr, reader.get(), nullptr, 1, 0)), EBADF);
  const UniqueFd appender = must_open(file_, O_WRONLY | O_APPEND);
  EXPECT_EQ(error_of(::copy_file_range(fd_.get(), nullptr, appender.get(), nullptr, 1, 0)), EBADF);
  const UniqueFd directory = must_open(root(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(error_of(::copy_file_range(directory.get(), nullptr, fd_.get(), nullptr, 1, 0)),
            EISDIR);
  EXPECT_EQ(error_of(::copy_file_range(fd_.get(), nullptr, fd_.get(), nullptr, 1, 1)), EINVAL);
}

TEST_F(PosixSizes, TheDescriptorsModeIsKept) {
  const UniqueFd reader = must_open(file_, O_RDONLY);
  const UniqueFd writer = must_open(file_, O_WRONLY);
  char byte = 0;
  EXPECT_EQ(error_of(::write(reader.get(), "x", 1)), EBADF);
  EXPECT_EQ(error_of(::read(writer.get(), &byte, 1)), EBADF);
  EXPECT_EQ(error_of(::fallocate(reader.get(), 0, 0, 10)), EBADF);
  EXPECT_EQ(::mmap(nullptr, 1, PROT_WRITE, MAP_SHARED, reader.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  const UniqueFd directory = must_open(root(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(error_of(::read(directory.get(), &byte, 1)), EISDIR);
  EXPECT_EQ(error_of(::fallocate(directory.get(), 0, 0, 10)), EBADF);
}

// A file of mode 0 that one makes oneself can be written through the descriptor that made it.
TEST_F(PosixSizes, TheModeOfANewFileDoesNotBindWhoMadeIt) {
  EXPECT_EQ(as(kStranger,
               [&] {
                 const UniqueFd fd(::open(at("new").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0));
                 if (!fd || ::write(fd.get(), "content", 7) != 7) return 1;
                 if (::ftruncate(fd.get(), 3) != 0) return 2;
                 return ::posix_fallocate(fd.get(), 0, 10);
               }),
            0);
  EXPECT_EQ(read_file(at("new")), std::string("con\0\0\0\0\0\0\0", 10));
}

TEST_F(PosixSizes, AppendingGoesToTheEndWhateverTheOffset) {
  const UniqueFd appender = must_open(file_, O_WRONLY | O_APPEND);
  EXPECT_EQ(::pwrite(appender.get(), "1", 1, 0), 1);
  EXPECT_EQ(::pwrite(fd_.get(), "2", 1, 8), 1);
  EXPECT_EQ(::write(appender.get(), "3", 1), 1);
  EXPECT_EQ(read_file(file_), "content123");
  iovec part{.iov_base = const_cast<char*>("4"), .iov_len = 1};
  EXPECT_EQ(::pwritev2(fd_.get(), &part, 1, 0, RWF_APPEND), 1);
  EXPECT_EQ(read_file(file_), "content1234");
}

TEST_F(PosixSizes, BytesBehindTheEndOfAMappingAreNeverSeen) {
  {
    void* start = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    ASSERT_NE(start, MAP_FAILED);
    static_cast<char*>(start)[10] = 'x';  // in the file's last page, behind its end
    ASSERT_EQ(::msync(start, 4096, MS_SYNC), 0);
    ::munmap(start, 4096);
  }
  ASSERT_EQ(::ftruncate(fd_.get(), 20), 0);
  EXPECT_EQ(read_file(file_), "content" + std::string(13, '\0'));
}

}  // namespace
}  // namespace weightfs::mount
