// Performs the operations of a script on a file system.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "crash_script.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::fs {

// Some of the files that it makes are lent and stay open for a while: what is written into them
// goes straight to their descriptors, as the kernel would do it.
class Performer {
 public:
  explicit Performer(Filesystem& filesystem) : filesystem_(filesystem) {}
  ~Performer();
  Performer(const Performer&) = delete;
  Performer& operator=(const Performer&) = delete;

  // The operation, whole.
  Status perform(const Operation& operation);

 private:
  struct Opened {
    Handle handle = Handle::none;
    InodeNumber inode = 0;
  };

  Status perform_create(const Operation& operation, const std::string& name);
  Status perform_copy(const Operation& operation);
  Status perform_on_handle(const Operation& operation, const Opened& opened);
  Status write(const Operation& operation, const Opened& opened);
  void close(const Opened& opened);
  void close_held(const std::string& name);
  // Opens `name` in the root for one call of `use`.
  template <class Use>
  Status with_open_file(const std::string& name, const Use& use);

  Filesystem& filesystem_;
  std::map<std::string, Opened> held_;
};

}  // namespace weightfs::fs
