// The files beside one that is being sealed, for the parsers. Thread-safe.
#pragma once

#include "impl.h"
#include "weightfs/format/format.h"

namespace weightfs::fs {

class DirectoryNeighbours final : public format::Neighbours {
 public:
  // `directory` may be 0: nothing is known of where the file lies.
  DirectoryNeighbours(Filesystem::Impl& impl, InodeNumber directory)
      : impl_(impl), directory_(directory) {}
  std::shared_ptr<const ByteSource> open(std::string_view name) const override;
  std::vector<std::string> names() const override;

 private:
  Filesystem::Impl& impl_;
  InodeNumber directory_;
};

}  // namespace weightfs::fs
