// Making exported files in a directory of the machine.
#pragma once

#include <string>

#include "item.h"
#include "weightfs/base/fd.h"

namespace weightfs::ops::transfer {

// Whether `target` is a regular file of the item's size and modification time.
bool is_up_to_date(const Item& item, const std::string& target);
Status make_directories(const std::string& path);
// A symbolic link, fifo, socket or device in place of what is there, with its metadata.
Status make_special(const Item& item, const std::string& target);
Status make_hard_link(const std::string& first, const std::string& target);
// Owner (as root), mode, attributes and times of what is at `target`.
Status set_metadata(const Item& item, const std::string& target);

// A file under a name of its own until it is complete. Removed by the destructor unless finished.
class PartialFile {
 public:
  static Result<PartialFile> open(const std::string& target);
  PartialFile(PartialFile&&) = default;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  int fd() const { return fd_.get(); }
  // Gives it its metadata and its name.
  Status finish(const Item& item);

 private:
  PartialFile(std::string target, std::string path, UniqueFd fd)
      : target_(std::move(target)), path_(std::move(path)), fd_(std::move(fd)) {}

  std::string target_;
  std::string path_;
  UniqueFd fd_;  // none after finish()
};

}  // namespace weightfs::ops::transfer
