// A directory of a test's own, removed with all that is in it. In memory where there is such a
// place, since most of a test's time goes to waiting for the disk.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace weightfs::kv {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(parent() + "/weightfs-XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  static std::string parent() {
    return std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : testing::TempDir();
  }

  std::string path_;
};

}  // namespace weightfs::kv
