#include "fsx_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "weightfs/base/bytes.h"

namespace weightfs::mount {
namespace {

constexpr std::size_t kPageBytes = 4096;

std::string last_error() {
  return std::strerror(errno);
}

// The first byte that differs, for a message; the shorter length where only the lengths do.
std::size_t first_difference(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(in_a - a.begin());
}

void expect_same(std::string_view found, std::string_view expected, std::size_t offset,
                 const char* what) {
  if (found == expected) return;
  const std::size_t at = first_difference(found, expected);
  ADD_FAILURE() << what << " at " << offset << ": " << found.size() << " bytes for "
                << expected.size() << ", the first wrong one at " << offset + at;
}

// The pages around [begin, begin + length), mapped until the end of the scope.
class MappedRange {
 public:
  MappedRange(int fd, std::size_t begin, std::size_t length, int protection)
      : lead_(begin % kPageBytes),
        size_(lead_ + length),
        start_(
            ::mmap(nullptr, size_, protection, MAP_SHARED, fd, static_cast<off_t>(begin - lead_))) {
    EXPECT_NE(start_, MAP_FAILED) << last_error();
  }
  MappedRange(const MappedRange&) = delete;
  MappedRange& operator=(const MappedRange&) = delete;
  ~MappedRange() { EXPECT_EQ(::munmap(start_, size_), 0) << last_error(); }
  char* bytes() { return static_cast<char*>(start_) + lead_; }
  void sync() { EXPECT_EQ(::msync(start_, size_, MS_SYNC), 0) << last_error(); }

 private:
  std::size_t lead_;
  std::size_t size_;
  void* start_;
};

}  // namespace

void FsxFile::open() {
  appends_ = chance(6);
  const int direct = chance(8) ? O_DIRECT : 0;
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC | direct | (appends_ ? O_APPEND : 0);
  fd_ = UniqueFd(::open(path_.c_str(), flags, 0644));
  ASSERT_TRUE(fd_) << path_ << ": " << last_error();
}

std::size_t FsxFile::length() {
  const std::size_t scale = std::size_t{1} << (random_() % 18);
  return 1 + random_() % scale;
}

FsxFile::Range FsxFile::any_range() {
  Range range{.begin = random_() % kLargestBytes, .length = length()};
  if (chance(3)) range.begin -= range.begin % kPageBytes;
  if (chance(3)) range.length = (range.length / kPageBytes + 1) * kPageBytes;
  range.length = std::min(range.length, kLargestBytes - range.begin);
  return range;
}

FsxFile::Range FsxFile::range_within() {
  if (model_.empty()) return {};
  Range range{.begin = random_() % model_.size(), .length = length()};
  range.length = std::min(range.length, model_.size() - range.begin);
  return range;
}

std::string FsxFile::bytes_for(std::size_t length) {
  if (chance(8)) return std::string(length, '\0');
  std::string bytes(length, '\0');
  // Cheap, never zero, and different at every offset of every operation.
  std::uint64_t state = random_() | 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<char>((state >> 56) | 1);
  }
  return bytes;
}

void FsxFile::put(std::size_t at, const std::string& bytes) {
  if (model_.size() < at + bytes.size()) model_.resize(at + bytes.size());
  model_.replace(at, bytes.size(), bytes);
}

void FsxFile::fill_zeros(const Range& range, bool may_grow) {
  if (may_grow && model_.size() < range.end()) model_.resize(range.end());
  for (std::size_t i = range.begin; i < std::min(range.end(), model_.size()); ++i) model_[i] = '\0';
}

void FsxFile::forget_pages() {
  EXPECT_EQ(::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
}

std::string FsxFile::read() {
  const Range range = any_range();
  if (chance(2)) forget_pages();
  std::string found(range.length, '\0');
  const ssize_t count =
      ::pread(fd_.get(), found.data(), found.size(), static_cast<off_t>(range.begin));
  EXPECT_GE(count, 0) << last_error();
  found.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  const std::string_view all = model_;
  const std::string_view expected =
      range.begin < all.size() ? all.substr(range.begin, range.length) : std::string_view();
  expect_same(found, expected, range.begin, "read");
  return fmt::format("read {} {}", range.begin, range.length);
}

std::string FsxFile::write() {
  Range range = any_range();
  if (appends_) range.begin = model_.size();
  if (range.end() > kLargestBytes) return "write of nothing";
  const std::string bytes = bytes_for(range.length);
  const ssize_t count =
      ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(range.begin));
  EXPECT_EQ(count, static_cast<ssize_t>(bytes.size())) << last_error();
  put(range.begin, bytes);
  return fmt::format("{} {} {}", appends_ ? "append" : "write", range.begin, range.length);
}

std::string FsxFile::truncate() {
  const std::size_t size = chance(8) ? 0 : chance(3) ? model_.size() : random_() % kLargestBytes;
  const bool by_name = chance(2);
  const int outcome = by_name ? ::truncate(path_.c_str(), static_cast<off_t>(size))
                              : ::ftruncate(fd_.get(), static_cast<off_t>(size));
  EXPECT_EQ(outcome, 0) << last_error();
  model_.resize(size);
  return fmt::format("truncate {}{}", size, by_name ? " by name" : "");
}

std::string FsxFile::read_mapped() {
  const Range range = range_within();
  if (range.length == 0) return "mapped read of nothing";
  if (chance(2)) forget_pages();
  MappedRange mapped(fd_.get(), range.begin, range.length, PROT_READ);
  expect_same({mapped.bytes(), range.length},
              std::string_view(model_).substr(range.begin, range.length), range.begin,
              "mapped read");
  return fmt::format("mapped read {} {}", range.begin, range.length);
}

std::string FsxFile::write_mapped() {
  const Range range = any_range();
  if (model_.size() < range.end()) {
    EXPECT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(range.end())), 0) << last_error();
    model_.resize(range.end());
  }
  const std::string bytes = bytes_for(range.length);
  const bool synced = chance(2);
  {
    MappedRange mapped(fd_.get(), range.begin, range.length, PROT_READ | PROT_WRITE);
    std::memcpy(mapped.bytes(), bytes.data(), bytes.size());
    if (synced) mapped.sync();
  }
  put(range.begin, bytes);
  return fmt::format("mapped write {} {}{}", range.begin, range.length, synced ? " msync" : "");
}

std::string FsxFile::punch() {
  const Range range = any_range();
  EXPECT_EQ(::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        static_cast<off_t>(range.begin), static_cast<off_t>(range.length)),
            0)
      << last_error();
  fill_zeros(range, /*may_grow=*/false);
  return fmt::format("punch {} {}", range.begin, range.length);
}

std::string FsxFile::zero() {
  const Range range = any_range();
  const bool keeps_size = chance(2);
  EXPECT_EQ(::fallocate(fd_.get(), FALLOC_FL_ZERO_RANGE | (keeps_size ? FALLOC_FL_KEEP_SIZE : 0),
                        static_cast<off_t>(range.begin), static_cast<off_t>(range.length)),
            0)
      << last_error();
  fill_zeros(range, !keeps_size);
  return fmt::format("zero range {} {}{}", range.begin, range.length, keeps_size ? " keep" : "");
}

std::string FsxFile::allocate() {
  const Range range = any_range();
  const bool keeps_size = chance(2);
  EXPECT_EQ(::fallocate(fd_.get(), keeps_size ? FALLOC_FL_KEEP_SIZE : 0,
                        static_cast<off_t>(range.begin), static_cast<off_t>(range.length)),
            0)
      << last_error();
  if (!keeps_size && model_.size() < range.end()) model_.resize(range.end());
  return fmt::format("allocate {} {}{}", range.begin, range.length, keeps_size ? " keep" : "");
}

std::string FsxFile::copy_from(FsxFile& source) {
  const bool whole = &source != this && chance(3);
  Range from = whole ? Range{.begin = 0, .length = source.model_.size()} : source.range_within();
  const std::size_t to = whole ? 0 : any_range().begin;
  from.length = std::min(from.length, kLargestBytes - to);
  const bool overlaps = &source == this && from.begin < to + from.length && to < from.end();
  if (from.length == 0 || overlaps || appends_) return "copy of nothing";
  auto from_offset = static_cast<off_t>(from.begin);
  auto to_offset = static_cast<off_t>(to);
  const ssize_t copied =
      ::copy_file_range(source.fd_.get(), &from_offset, fd_.get(), &to_offset, from.length, 0);
  EXPECT_GT(copied, 0) << last_error();
  EXPECT_LE(copied, static_cast<ssize_t>(from.length));
  if (copied > 0) put(to, source.model_.substr(from.begin, static_cast<std::size_t>(copied)));
  return fmt::format("copy {} {} to {}{}", from.begin, copied, to, whole ? " whole" : "");
}

std::string FsxFile::seek() {
  const Range range = range_within();
  if (range.length == 0) return "seek in nothing";
  const auto begin = static_cast<off_t>(range.begin);
  const off_t data = ::lseek(fd_.get(), begin, SEEK_DATA);
  EXPECT_TRUE(data >= begin || errno == ENXIO) << last_error();
  const std::size_t data_at = data < 0 ? model_.size() : static_cast<std::size_t>(data);
  EXPECT_EQ(model_.find_first_not_of('\0', range.begin) < data_at, false)
      << "SEEK_DATA from " << begin << " skips data before " << data;
  const off_t hole = ::lseek(fd_.get(), begin, SEEK_HOLE);
  EXPECT_GE(hole, begin) << last_error();
  EXPECT_LE(hole, static_cast<off_t>(model_.size()));
  if (hole >= begin && hole < static_cast<off_t>(model_.size())) {
    EXPECT_EQ(model_[static_cast<std::size_t>(hole)], '\0') << "SEEK_HOLE finds data at " << hole;
  }
  return fmt::format("seek {}: data {}, hole {}", begin, data, hole);
}

std::string FsxFile::sync() {
  const bool data_only = chance(2);
  EXPECT_EQ(data_only ? ::fdatasync(fd_.get()) : ::fsync(fd_.get()), 0) << last_error();
  return data_only ? "fdatasync" : "fsync";
}

void FsxFile::check() const {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0) << last_error();
  EXPECT_EQ(status.st_size, static_cast<off_t>(model_.size()));
  const Result<std::string> found = read_whole_file(path_);
  ASSERT_TRUE(found) << found.error().message;
  expect_same(*found, model_, 0, "the whole file");
}

}  // namespace weightfs::mount
