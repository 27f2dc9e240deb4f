// A directory of the machine as items for a store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "item.h"
#include "weightfs/base/fd.h"

namespace weightfs::ops::transfer {

// Walks depth first; a directory comes before what it holds, and once more, to be finished, behind
// it.
class SourceWalk {
 public:
  struct Callbacks {
    // An error ends the walk.
    std::function<Status(const Item& item, const std::string& source_path, UniqueFd content)> item;
    // What can't be read; the walk goes on.
    std::function<void(const std::string& source_path, const Error& error)> error;
  };
  // `excluded_path`: a directory that is never entered (the store itself).
  SourceWalk(Callbacks callbacks, const std::string& excluded_path);

  // Everything at `source`, under `store_path`; of a directory only what it holds if
  // `contents_only`.
  Status walk(const std::string& source, const std::string& store_path, bool contents_only);

 private:
  Status visit(const std::string& source, const std::string& store_path);
  Status visit_directory(const std::string& source, Item item, bool contents_only);
  Status visit_file(const std::string& source, Item& item);
  Status note_error(const std::string& source, const Error& error);

  const Callbacks callbacks_;
  std::pair<std::uint64_t, std::uint64_t> excluded_{0, 0};  // device and inode
  // First store path of each file with several names.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> linked_;
};

// Files and bytes below `source`, for progress; what can't be read counts nothing.
struct SourceTotals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};
SourceTotals count_source(const std::string& source);

}  // namespace weightfs::ops::transfer
