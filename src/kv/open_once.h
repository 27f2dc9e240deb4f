// Keeps a process from opening one environment twice, which would drop LMDB's file locks. Private
// to kv/.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "weightfs/base/result.h"

namespace weightfs::kv {

// A claim on a directory, released by its destructor. Move-only.
class OpenOnce {
 public:
  // Code::busy where this process holds a claim on the directory, by whatever name.
  static Result<OpenOnce> claim(const std::string& path);

  OpenOnce() = default;
  OpenOnce(OpenOnce&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  OpenOnce& operator=(OpenOnce&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~OpenOnce();

 private:
  std::filesystem::path path_;  // canonical; empty: no claim
};

}  // namespace weightfs::kv
