// File descriptors that close themselves, and whole reads and writes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"
#include "weightfs/base/source.h"

namespace weightfs {

// Owns one descriptor; -1 is none. Move-only.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// open(2), with O_CLOEXEC; `mode` counts when `flags` creates.
Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode = 0600);
// Reads exactly target.size() bytes at `offset_bytes`; a shorter file is Code::io.
Status read_exactly(int fd, std::uint64_t offset_bytes, MutableByteSpan target);
// Reads until `target` is full or the file ends; returns how much that was.
Result<std::size_t> read_up_to(int fd, std::uint64_t offset_bytes, MutableByteSpan target);
Status write_exactly(int fd, std::uint64_t offset_bytes, ByteSpan source);
Status sync_data(int fd);
// fsync of a directory, so that the names in it last.
Status sync_directory(const std::string& path);
Result<std::string> read_whole_file(const std::string& path);

// A file as a source. Owns the descriptor. Thread-safe (pread). Its size is taken when it is made.
class FdSource final : public ByteSource {
 public:
  static Result<FdSource> open(const std::string& path);
  FdSource(UniqueFd fd, std::uint64_t size_bytes) : fd_(std::move(fd)), size_bytes_(size_bytes) {}
  std::uint64_t size_bytes() const override { return size_bytes_; }
  Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const override;
  std::uint64_t next_data(std::uint64_t offset_bytes) const override;
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::uint64_t size_bytes_;
};

}  // namespace weightfs
