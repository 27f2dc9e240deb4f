// The system calls that take a path, in one shape, so that an error that all of them share is one
// test.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace weightfs::mount {

enum class PathRole {
  follows,  // works on what exists, behind a symlink too
  itself,   // works on what exists, on a symlink itself
  makes,    // makes the name
  removes,  // takes the name away
};

struct PathCall {
  const char* name;
  PathRole role;
  bool changes;  // a file system that is read-only refuses it
  // An error number, or 0. `helper` is the path of a regular file that exists, for calls of two.
  std::function<int(const std::string& path, const std::string& helper)> run;
};

const std::vector<PathCall>& path_calls();

}  // namespace weightfs::mount
