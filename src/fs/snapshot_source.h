// A file's content at one moment, for the sealing threads and the parsers.
//
// Reads without the inode's lock: what a writer changes meanwhile is seen or not, and the inode's
// version tells afterwards. Thread-safe.
#pragma once

#include <memory>

#include "weightfs/base/source.h"
#include "weightfs/file/block_cache.h"
#include "weightfs/file/recipe_view.h"
#include "weightfs/file/staging.h"

namespace weightfs::fs {

class SnapshotSource final : public ByteSource {
 public:
  struct Parts {
    tree::ContentRecord content;
    std::shared_ptr<file::StagedFile> staged;        // null where no range is staged
    std::shared_ptr<const file::RecipeView> recipe;  // null where the content has none
    file::BlockCache* cache = nullptr;
  };
  explicit SnapshotSource(Parts parts) : parts_(std::move(parts)) {}

  std::uint64_t size_bytes() const override { return parts_.content.size_bytes; }
  Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const override;
  std::uint64_t next_data(std::uint64_t offset_bytes) const override;
  const Parts& parts() const { return parts_; }

 private:
  Status read_sealed(std::uint64_t offset_bytes, MutableByteSpan target) const;

  Parts parts_;
};

}  // namespace weightfs::fs
