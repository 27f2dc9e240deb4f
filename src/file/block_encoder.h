// From blocks of a window to entries of a recipe: content ids, lookups, and encoding what is new.
#pragma once

#include <span>
#include <vector>

#include "batch_writer.h"
#include "weightfs/chunk/cutter.h"

namespace weightfs::file {

struct BlockToEncode {
  chunk::Block block;
  ByteSpan raw;                              // borrowed: of the window
  store::BlobId base = store::BlobId::none;  // the block that may predict it
  Dtype base_dtype = Dtype::opaque;
  std::size_t base_offset_bytes = 0;  // where it may lie in a longer one
};

// Where a block is stored.
struct EncodedEntry {
  tree::RecipeEntry entry;
  bool is_new = false;
  bool is_whole = false;  // not a delta itself, so others may be coded against it
};

// One thread at a time; spreads its work over `workers` and the calling thread.
class BlockEncoder {
 public:
  BlockEncoder(const Ingest::Parts& parts, const IngestOptions& options, WorkerPool& workers,
               BatchWriter& writer)
      : parts_(parts), options_(options), workers_(workers), writer_(writer) {}

  // One entry a block; new blobs and pins go into `batch`, their size into `part`. Fails only where
  // the store can't be read.
  Result<std::vector<EncodedEntry>> encode(std::span<const BlockToEncode> blocks,
                                           std::uint32_t owner_uid, Batch& batch,
                                           Batch::Part& part);
  // Every id that was given is below.
  store::BlobId next_id() const { return next_id_; }

 private:
  // What is known of a block on its way.
  struct Candidate {
    ContentId content;
    bool zero = false;
    store::BlobId id = store::BlobId::none;  // where it is stored, once that is known
    bool is_new = false;
    bool is_whole = false;
    bool indexed = true;
    store::BlobId base = store::BlobId::none;  // pinned
    EncodedBlob encoded;
  };

  void identify(std::span<const BlockToEncode> blocks, std::vector<Candidate>& candidates);
  Status look_up(std::span<const BlockToEncode> blocks, std::uint32_t owner_uid, Batch& batch,
                 std::vector<Candidate>& candidates);
  // Whether the hit may be used: it is pinned then.
  Result<bool> accept_hit(const BlockToEncode& block, const store::BlobRecord& hit,
                          std::uint32_t owner_uid, Candidate& candidate, Batch& batch);
  Status heal(const BlockToEncode& block, const store::BlobRecord& hit);
  void encode_new(std::span<const BlockToEncode> blocks, std::vector<Candidate>& candidates);
  void encode_one(const BlockToEncode& block, Candidate& candidate);

  const Ingest::Parts parts_;
  const IngestOptions options_;
  WorkerPool& workers_;
  BatchWriter& writer_;
  store::BlobId next_id_ = store::BlobId::none;
};

}  // namespace weightfs::file
