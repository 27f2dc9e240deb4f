// What a store may hold after a crash in the middle of a script.
//
// Every state that is allowed is known: each name was there at one moment since the last commit,
// and each file has the bytes of versions since its last sync.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crash_script.h"

namespace weightfs::fs {

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
