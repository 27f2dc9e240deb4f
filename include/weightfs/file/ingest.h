// The write path: layout -> blocks -> lookup by content id -> encode in parallel -> blobs and
// recipe.
//
// One file after the other goes through add(); what comes out is gathered into batches of bounded
// size, and a batch of blobs is durable before anything refers to it. While one batch is written,
// the next one is cut, hashed and encoded. A file's `done` is called from the writing thread when
// all of its blobs are durable and counted: the recipe is then the caller's to publish, and doomed
// (by the next crash or end_building()) until that has happened.
//
//   window of the source -> blocks -> content ids (parallel) -> hits | misses
//     misses -> encoded blobs (parallel) -> batch -> BlobStore::put -> counts, chunks -> done
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "weightfs/base/source.h"
#include "weightfs/codec/codec.h"
#include "weightfs/file/base_finder.h"
#include "weightfs/file/block_cache.h"
#include "weightfs/file/broken_blobs.h"
#include "weightfs/file/id_allocator.h"
#include "weightfs/file/recipe_view.h"
#include "weightfs/file/references.h"
#include "weightfs/format/format.h"

namespace weightfs::file {

struct SealedRecipe {
  tree::RecipeId id = tree::RecipeId::none;
  tree::RecipeHeader header;  // reference_count 0: whoever publishes it sets it
  Layout layout;
  bool has_blobs = false;  // false: nothing but zeros
};

struct IngestFile {
  const ByteSource* source = nullptr;  // of at least one byte; must live until add() returns
  std::string name;                    // a hint for the parsers
  const format::Neighbours* neighbours = nullptr;
  std::uint32_t owner_uid = 0;
  // The file's earlier recipe, whose entries are taken over where unchanged(begin, end) says so;
  // nullptr where there is none.
  std::shared_ptr<const RecipeView> previous;
  std::function<bool(std::uint64_t begin_bytes, std::uint64_t end_bytes)> unchanged;
  // Asked now and then; true gives the file up with Code::interrupted. May be empty.
  std::function<bool()> cancelled;
  std::function<void(Result<SealedRecipe>)> done;
};

struct IngestOptions {
  codec::Tier tier = codec::Tier::default_tier;
  bool portable = false;
  bool verify_dedup = false;  // compare bytes on every hit
  std::size_t worker_count = 2;
  std::size_t batch_bytes = std::size_t{32} << 20;  // of encoded blobs, before they are written
};

class Ingest {
 public:
  struct Parts {
    tree::Tree& tree;
    store::BlobStore& blobs;
    References& references;
    BlockCache& cache;
    IdAllocator& ids;
    BrokenBlobs& broken;
    BaseFinder& bases;
  };
  Ingest(const Parts& parts, const IngestOptions& options);
  ~Ingest();

  // Takes the whole file in; `done` follows, from another thread or this one, at the latest in
  // flush(). Thread-safe: one file at a time.
  void add(const IngestFile& file);
  // Returns when every file that was added before is done.
  void flush();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weightfs::file
