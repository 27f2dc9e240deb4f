// One file of the fsx run and what it must hold: every operation changes both, every check compares
// them. The operations throw nothing; what goes wrong is a failure of the running test.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "weightfs/base/fd.h"

namespace weightfs::mount {

class FsxFile {
 public:
  static constexpr std::size_t kLargestBytes = 1'200'000;
  using Random = std::mt19937_64;

  FsxFile(std::string path, Random& random) : path_(std::move(path)), random_(random) {}

  // Opens it for reading and writing, at random with O_APPEND or O_DIRECT; made where there is
  // none.
  void open();
  void close() { fd_.reset(); }
  bool is_open() const { return static_cast<bool>(fd_); }

  // Each does one system call or two, and returns what it did, for the log.
  std::string read();
  std::string write();
  std::string truncate();
  std::string read_mapped();
  std::string write_mapped();
  std::string punch();
  std::string zero();
  std::string allocate();
  std::string copy_from(FsxFile& source);
  std::string seek();
  std::string sync();

  // Compares every byte, the size, and the holes, through a descriptor of its own.
  void check() const;

 private:
  struct Range {
    std::size_t begin = 0;
    std::size_t length = 0;
    std::size_t end() const { return begin + length; }
  };
  // A range for a change: it may begin or end behind the end of the file, not behind kLargestBytes.
  Range any_range();
  // A range with content; empty where the file is.
  Range range_within();
  std::string bytes_for(std::size_t length);
  std::size_t length();
  // Makes the kernel ask again for what it has in its page cache.
  void forget_pages();
  bool chance(unsigned one_in) { return random_() % one_in == 0; }
  void fill_zeros(const Range& range, bool may_grow);
  void put(std::size_t at, const std::string& bytes);

  std::string path_;
  Random& random_;
  UniqueFd fd_;
  bool appends_ = false;
  std::string model_;
};

}  // namespace weightfs::mount
