// Decoded blocks, shared by all readers, bounded by bytes.
//
// A block is decoded once however many ask for it at the same time, checked against its content id
// (VerifyMode), and kept until room is needed for others (least recently used first). Buffers are
// pooled, so that pages are not faulted in anew for each block. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "weightfs/base/worker_pool.h"
#include "weightfs/file/buffer_pool.h"
#include "weightfs/store/blob_store.h"

namespace weightfs::file {

enum class VerifyMode : std::uint8_t { always, sampled, off };

struct BlockCacheOptions {
  std::size_t capacity_bytes = std::size_t{96} << 20;
  std::size_t decode_ahead_threads = 2;
  VerifyMode verify = VerifyMode::always;
};

// Raw bytes of one blob. Immutable; may outlive the cache. Gives its buffer back to the pool.
class DecodedBlock {
 public:
  DecodedBlock(ByteVector bytes, std::shared_ptr<BufferPool> pool)
      : bytes_(std::move(bytes)), pool_(std::move(pool)) {}
  ~DecodedBlock() { pool_->give_back(std::move(bytes_)); }
  DecodedBlock(const DecodedBlock&) = delete;
  DecodedBlock& operator=(const DecodedBlock&) = delete;
  ByteSpan bytes() const { return bytes_; }

 private:
  ByteVector bytes_;
  std::shared_ptr<BufferPool> pool_;
};

class BlockCache {
 public:
  using BlockPointer = std::shared_ptr<const DecodedBlock>;

  // `blobs` must outlive the cache.
  BlockCache(const store::BlobStore& blobs, const BlockCacheOptions& options);
  ~BlockCache();

  // The block's raw bytes. Code::corrupt, with a message that names the blob, where they are not
  // what was stored; the failure is not kept, so that a healed blob can be read.
  Result<BlockPointer> get(store::BlobId id);
  // Starts decoding in the background what is not there yet, as far as workers are free.
  void prefetch(std::span<const store::BlobId> ids);
  // Forgets a block whose blob was replaced or erased.
  void forget(store::BlobId id);
  // Called, from any thread with no lock held, for each blob that was found broken.
  void on_broken(std::function<void(store::BlobId)> callback) { on_broken_ = std::move(callback); }
  // Decodes without the cache (fsck, dedup's comparison); always verified.
  Result<ByteVector> decode_uncached(store::BlobId id);

 private:
  struct Entry {
    BlockPointer block;  // null while it is being decoded
    std::list<store::BlobId>::iterator recency;
  };

  Result<BlockPointer> decode_and_publish(store::BlobId id);
  Result<ByteVector> decode(store::BlobId id, bool verify);
  Result<BlockPointer> base_of(const store::BlobRecord& record);
  bool should_verify();
  void make_room();  // with mutex_ held

  const store::BlobStore& blobs_;
  const BlockCacheOptions options_;
  std::function<void(store::BlobId)> on_broken_;
  std::mutex mutex_;  // protects what follows; a leaf in the lock order
  std::condition_variable decoded_;
  std::unordered_map<store::BlobId, Entry> entries_;
  std::list<store::BlobId> by_recency_;  // least recently used first
  std::size_t size_bytes_ = 0;
  const std::shared_ptr<BufferPool> pool_;
  std::atomic<unsigned> sample_counter_{0};
  WorkerPool ahead_;  // last: its threads use everything above
};

}  // namespace weightfs::file
