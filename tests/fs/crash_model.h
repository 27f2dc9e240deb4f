// A run of random operations that can be told again: what a store may hold after a crash in its
// middle.
//
// A worker process performs the operations and says which it started and finished; whoever outlives
// it makes the same operations from the same seed and knows every state that is allowed: each name
// was there at one moment since the last commit, and each file has the bytes of versions since its
// last sync.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "weightfs/fs/filesystem.h"

namespace weightfs::fs {

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
// Performs it on a file system, whole.
Status perform(const Operation& operation, Filesystem& filesystem);

// What a crash may leave, after some operations.
class Possibilities {
 public:
  explicit Possibilities(const Contents& begin);
  // `before` and `after`: the contents around the operation. `done`: it is known to have returned.
  void add(const Operation& operation, const Contents& before, const Contents& after, bool done);
  // A line for each thing in `found` that no crash may leave.
  std::vector<std::string> complaints(const Contents& found) const;

 private:
  using Names = std::set<std::string>;
  // Versions of one file that may be mixed, since they were written into one another.
  struct Versions {
    std::vector<std::string> contents;
    bool any_size = false;  // a copy was under way, so that sizes in between are possible
    // The same file under the name that it had: until the new one is committed, a crash finds what
    // is written into it there.
    std::shared_ptr<Versions> before_rename = nullptr;
  };
  using VersionsPointer = std::shared_ptr<Versions>;

  static Names names_of(const Contents& contents);
  bool is_mix_of(const Versions& versions, const std::string& found) const;
  void note_rename(const Operation& operation, const Contents& before);

  std::vector<Names> names_;
  static VersionsPointer make(Versions versions);
  static void note_write(const VersionsPointer& versions, const std::string& content);

  std::map<std::string, std::vector<VersionsPointer>> files_;  // alternatives; they don't mix
};

}  // namespace weightfs::fs
