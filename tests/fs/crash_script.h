// A run of random operations that can be told again.
//
// A worker process performs the operations and says which it started and finished; whoever outlives
// it makes the same operations from the same seed.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>

namespace weightfs::fs {

// Bytes are written in units of this, each of which tells where it comes from.
constexpr std::size_t kCellBytes = 16;

struct Operation {
  enum class Kind : std::uint8_t {
    create,
    write,
    truncate,
    punch,
    copy,
    rename,
    unlink,
    sync,
    sync_directory,
    sync_all
  };
  Kind kind = Kind::create;
  std::string name;
  std::string other;  // of copy and rename: the target
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;  // of truncate: the new size
  std::uint64_t stamp = 0;         // says which write a byte comes from

  // Commits the names; for sync, the content of `name` as well.
  bool commits() const { return kind >= Kind::sync; }
};

using Contents = std::map<std::string, std::string>;

// `length_bytes` that no other stamp or offset has.
std::string stamped_bytes(std::uint64_t stamp, std::uint64_t offset_bytes,
                          std::uint64_t length_bytes);

// Chooses operations; the same for the same seed and the same contents to begin with.
class Script {
 public:
  Script(std::uint64_t seed, Contents begin) : random_(seed), contents_(std::move(begin)) {}
  // The next operation, which is applied to contents() at once.
  Operation next();
  const Contents& contents() const { return contents_; }

 private:
  Operation choose();
  std::string any_name() const;
  std::string free_name() const;

  mutable std::mt19937_64 random_;
  Contents contents_;
  std::uint64_t stamp_ = 0;
};

// Does `operation` to contents in memory.
void replay(const Operation& operation, Contents& contents);

}  // namespace weightfs::fs
