#include "weightfs/file/block_cache.h"

#include "weightfs/base/fault.h"
#include "weightfs/base/log.h"

namespace weightfs::file {
namespace {

constexpr unsigned kSampledOneOf = 16;

codec::Scratch& thread_scratch() {
  thread_local codec::Scratch scratch;
  return scratch;
}

Error broken(store::BlobId id, std::string_view why) {
  return Error{Code::corrupt, fmt::format("blob {} is broken: {}", store::number(id), why)};
}

}  // namespace

BlockCache::BlockCache(const store::BlobStore& blobs, const BlockCacheOptions& options)
    : blobs_(blobs),
      options_(options),
      pool_(std::make_shared<BufferPool>()),
      ahead_({.name = "decode-ahead",
              .thread_count = options.decode_ahead_threads,
              .queue_capacity = 64}) {}

BlockCache::~BlockCache() = default;

bool BlockCache::should_verify() {
  switch (options_.verify) {
    case VerifyMode::always:
      return true;
    case VerifyMode::sampled:
      return sample_counter_++ % kSampledOneOf == 0;
    case VerifyMode::off:
      return false;
  }
  return true;
}

// Chains are one deep: a base is a whole blob. So a damaged store can't make a chain without end.
Result<BlockCache::BlockPointer> BlockCache::base_of(const store::BlobRecord& record) {
  WEIGHTFS_ASSIGN(const store::BlobRecord base, blobs_.record(record.base));
  if (base.base != store::BlobId::none) {
    return tl::unexpected(broken(record.id, "its base has a base itself"));
  }
  return get(record.base);
}

Result<ByteVector> BlockCache::decode(store::BlobId id, bool verify) {
  WEIGHTFS_TRY(fault::check("blob.load"));
  WEIGHTFS_ASSIGN(const store::LoadedBlob loaded, blobs_.load(id));
  const store::BlobRecord& record = loaded.record();
  if (record.content.length_bytes > codec::kMaxBlockBytes) {
    return tl::unexpected(broken(id, "its record is damaged"));
  }
  BlockPointer base;
  if (record.base != store::BlobId::none) {
    WEIGHTFS_ASSIGN(base, base_of(record));
  }
  ByteVector raw = pool_->take(record.content.length_bytes);
  if (Status decoded = codec::decode_block(
          record.codec, loaded.encoded(), base ? base->bytes() : ByteSpan{}, raw, thread_scratch());
      !decoded) {
    return tl::unexpected(broken(id, decoded.error().message));
  }
  if (verify && content_id(raw) != record.content) {
    return tl::unexpected(broken(id, "its bytes are not those that were stored"));
  }
  return raw;
}

Result<ByteVector> BlockCache::decode_uncached(store::BlobId id) {
  return decode(id, /*verify=*/true);
}

Result<BlockCache::BlockPointer> BlockCache::get(store::BlobId id) {
  {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto found = entries_.find(id);
      if (found == entries_.end()) break;
      if (found->second.block) {
        by_recency_.splice(by_recency_.end(), by_recency_, found->second.recency);
        return found->second.block;
      }
      decoded_.wait(lock);
    }
    entries_.emplace(id, Entry{.block = nullptr, .recency = by_recency_.end()});
  }
  return decode_and_publish(id);
}

Result<BlockCache::BlockPointer> BlockCache::decode_and_publish(store::BlobId id) {
  Result<ByteVector> raw = decode(id, should_verify());
  BlockPointer block;
  if (raw) block = std::make_shared<const DecodedBlock>(std::move(*raw), pool_);
  {
    const std::lock_guard lock(mutex_);
    if (block) {
      Entry& entry = entries_[id];
      entry.block = block;
      entry.recency = by_recency_.insert(by_recency_.end(), id);
      size_bytes_ += block->bytes().size();
      make_room();
    } else {
      entries_.erase(id);
    }
  }
  decoded_.notify_all();
  if (raw) return block;
  if (raw.error().code == Code::corrupt && on_broken_) on_broken_(id);
  return tl::unexpected(std::move(raw.error()));
}

void BlockCache::make_room() {
  while (size_bytes_ > options_.capacity_bytes && !by_recency_.empty()) {
    const auto oldest = entries_.find(by_recency_.front());
    size_bytes_ -= oldest->second.block->bytes().size();
    by_recency_.pop_front();
    entries_.erase(oldest);
  }
}

void BlockCache::forget(store::BlobId id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.block) return;
  size_bytes_ -= found->second.block->bytes().size();
  by_recency_.erase(found->second.recency);
  entries_.erase(found);
}

void BlockCache::prefetch(std::span<const store::BlobId> ids) {
  for (const store::BlobId id : ids) {
    {
      const std::lock_guard lock(mutex_);
      if (entries_.contains(id)) continue;
    }
    // What fails here fails again, and is reported, when it is read.
    if (!ahead_.try_submit([this, id] { (void)get(id); })) return;
  }
}

}  // namespace weightfs::file
