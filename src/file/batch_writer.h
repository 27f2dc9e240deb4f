// The second half of the write path: batches of encoded blobs become durable, then counted.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "weightfs/base/worker_pool.h"
#include "weightfs/file/ingest.h"

namespace weightfs::file {

// A file on its way to a recipe. Made by the cutting thread, then touched by the writing thread
// only.
struct RecipeBuilder {
  tree::RecipeId id = tree::RecipeId::none;
  tree::RecipeHeader header;
  Layout layout;
  std::function<void(Result<SealedRecipe>)> done;
  std::vector<tree::RecipeEntry> open_chunk;  // the entries of the chunk that is not full yet
  bool has_blobs = false;
  Status failure;
};

struct EncodedBlob {
  store::BlobRecord record;
  ByteVector bytes;
};

// What is written together. Entries refer to blobs of this batch, of earlier ones, or to pinned
// ones.
struct Batch {
  struct Part {
    std::shared_ptr<RecipeBuilder> builder;
    std::vector<tree::RecipeEntry> entries;
    std::uint64_t new_bytes = 0;  // encoded bytes of blobs that this file brought
    bool last = false;            // the file is complete
    Status failure;               // why it ended early
  };
  std::vector<EncodedBlob> blobs;
  std::vector<Part> parts;
  std::vector<store::BlobId> pins;
  std::vector<BaseFinder::Candidate> bases;  // tensors that are complete with this batch
  std::size_t encoded_bytes = 0;
  std::size_t entry_count = 0;
  store::BlobId end_id = store::BlobId::none;  // every id of this batch and before is below
  std::uint64_t generation = 0;                // of the writer when the batch was begun

  Part& part_of(const std::shared_ptr<RecipeBuilder>& builder);
};

// Writes batches one after the other in a thread of its own, at most one waiting. Thread-safe.
class BatchWriter {
 public:
  explicit BatchWriter(const Ingest::Parts& parts);

  // An empty batch. It fails when an earlier one, to whose blobs its entries may refer, has failed.
  Batch begin() const;
  // The id of a blob that is on its way with this content, from this owner; none where there is
  // none.
  store::BlobId find_on_its_way(const ContentId& content, std::uint32_t owner_uid) const;
  // Tells that `batch` will hold this blob.
  void announce(const Batch& batch, const store::BlobRecord& record);
  // Takes a batch; waits while another one waits.
  void submit(Batch&& batch);
  // Returns when everything that was submitted is written, or has failed.
  void wait_until_idle();

 private:
  void write(Batch& batch);
  Status write_blobs_and_entries(Batch& batch);
  void leave_the_way(const Batch& batch, const Status& written);
  Status put_blobs(const Batch& batch);
  void doom_blobs(const Batch& batch);
  Status count_and_link(Batch& batch);
  void append_entries(tree::Change& change, Batch::Part& part);
  void finish_files(Batch& batch, const Status& written);

  const Ingest::Parts parts_;
  mutable std::mutex mutex_;  // protects what follows; a leaf in the lock order
  std::condition_variable idle_;
  std::size_t submitted_count_ = 0;
  struct OnItsWay {
    store::BlobId id;
    std::uint32_t owner_uid;
  };
  std::unordered_map<ContentId, OnItsWay> on_their_way_;
  std::uint64_t generation_ = 0;  // counts failed batches
  Status last_failure_;
  WorkerPool thread_;
};

}  // namespace weightfs::file
