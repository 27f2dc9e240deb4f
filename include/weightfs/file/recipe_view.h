// A sealed file's recipe, for reading: which blob holds which byte.
//
// Chunks of entries are fetched when they are first needed and kept. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "weightfs/tree/tree.h"

namespace weightfs::file {

// A recipe's entry with its place in the file.
struct LocatedEntry {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  store::BlobId blob = store::BlobId::none;  // none: zeros

  std::uint64_t end_bytes() const { return offset_bytes + length_bytes; }
};

class RecipeView {
 public:
  // `tree` must outlive the view. Code::corrupt where the recipe is missing or damaged.
  static Result<std::shared_ptr<RecipeView>> open(const tree::Tree& tree, tree::RecipeId id);

  tree::RecipeId id() const { return id_; }
  const tree::RecipeHeader& header() const { return header_; }
  std::uint64_t size_bytes() const { return header_.size_bytes; }
  // The entry that holds the byte at `offset_bytes` < size_bytes(). Binary search.
  Result<LocatedEntry> locate(std::uint64_t offset_bytes) const;
  // Every entry that meets [begin, end), in order; `end` is cut off at the size.
  Result<std::vector<LocatedEntry>> entries_of(std::uint64_t begin_bytes,
                                               std::uint64_t end_bytes) const;

 private:
  using Chunk = std::vector<LocatedEntry>;
  RecipeView(const tree::Tree& tree, tree::RecipeId id, tree::RecipeHeader header);
  Result<std::shared_ptr<const Chunk>> chunk_at(std::uint64_t offset_bytes) const;
  Result<std::shared_ptr<const Chunk>> load_chunk(std::size_t index) const;

  const tree::Tree& tree_;
  const tree::RecipeId id_;
  const tree::RecipeHeader header_;
  mutable std::mutex mutex_;  // protects chunks_; a leaf in the lock order
  mutable std::vector<std::shared_ptr<const Chunk>> chunks_;
};

}  // namespace weightfs::file
