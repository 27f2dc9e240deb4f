// Random operations through the kernel on two files against a model in memory, with seals and
// remounts between them. WEIGHTFS_FSX_OPERATIONS and WEIGHTFS_SEED choose the run; the seed is
// printed, and a failure prints the last operations.
#include <cstdlib>
#include <deque>

#include "fsx_file.h"
#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

constexpr std::size_t kLogLines = 60;
constexpr std::uint64_t kChecksEvery = 500;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Fsx : public MountTest {
 protected:
  void run(std::uint64_t operation_count) {
    for (FsxFile& file : files_) file.open();
    for (std::uint64_t done = 0; done < operation_count && !HasFailure(); ++done) {
      log_.push_back(step(files_[random_() % files_.size()]));
      if (log_.size() > kLogLines) log_.pop_front();
      if (done % kChecksEvery == 0) check();
    }
    seal_all();
    remount_all();
    if (!HasFailure()) return;
    for (const std::string& line : log_) std::printf("%s\n", line.c_str());
  }

 private:
  std::string step(FsxFile& file) {
    const std::uint64_t pick = random_() % 1000;
    const std::string name = &file == &files_[0] ? "a: " : "b: ";
    if (pick < 2) return remount_all();
    if (pick < 10) return seal_all();
    if (pick < 20) return name + file.sync();
    if (pick < 70) return name + reopen(file);
    return name + change_or_read(file, pick % 14);
  }

  std::string change_or_read(FsxFile& file, std::uint64_t pick) {
    switch (pick) {
      case 0:
      case 1:
        return file.read();
      case 2:
      case 3:
      case 4:
        return file.write();
      case 5:
        return file.truncate();
      case 6:
        return file.read_mapped();
      case 7:
      case 8:
        return file.write_mapped();
      case 9:
        return file.punch();
      case 10:
        return file.zero();
      case 11:
        return file.allocate();
      case 12:
        return file.seek();
      default:
        return file.copy_from(files_[random_() % files_.size()]);
    }
  }

  void check() {
    for (const FsxFile& file : files_) file.check();
  }

  std::string reopen(FsxFile& file) {
    file.close();
    file.open();
    return "reopen";
  }

  // A file is sealed when nobody has it open for writing.
  std::string seal_all() {
    for (FsxFile& file : files_) file.close();
    seal();
    check();
    for (FsxFile& file : files_) file.open();
    return "seal";
  }

  std::string remount_all() {
    for (FsxFile& file : files_) file.close();
    remount();
    check();
    for (FsxFile& file : files_) file.open();
    return "remount";
  }

  const std::uint64_t seed_ = from_environment("WEIGHTFS_SEED", std::random_device{}());
  FsxFile::Random random_{
      (std::printf("WEIGHTFS_SEED=%llu\n", static_cast<unsigned long long>(seed_)), seed_)};
  std::array<FsxFile, 2> files_{FsxFile(path("a"), random_), FsxFile(path("b"), random_)};
  std::deque<std::string> log_;
};

TEST_F(Fsx, EveryByteIsWhatWasWrittenLast) {
  run(from_environment("WEIGHTFS_FSX_OPERATIONS", 20'000));
}

}  // namespace
}  // namespace weightfs::mount
