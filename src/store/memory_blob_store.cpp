#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

#include "weightfs/store/blob_store.h"

namespace weightfs::store {
namespace {

struct StoredBlob {
  BlobRecord record;
  std::shared_ptr<const ByteVector> encoded;
};

class SharedKeep final : public LoadedBlob::Keep {
 public:
  explicit SharedKeep(std::shared_ptr<const ByteVector> encoded) : encoded_(std::move(encoded)) {}

 private:
  std::shared_ptr<const ByteVector> encoded_;
};

class MemoryBlobStore final : public BlobStore {
 public:
  Result<std::optional<BlobRecord>> find(const ContentId& content) const override {
    const std::lock_guard lock(mutex_);
    return find_locked(content);
  }

  Result<std::vector<std::optional<BlobRecord>>> find_all(
      std::span<const ContentId> contents) const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::optional<BlobRecord>> records;
    for (const ContentId& content : contents) records.push_back(find_locked(content));
    return records;
  }

  Result<BlobRecord> record(BlobId id) const override {
    WEIGHTFS_ASSIGN(const StoredBlob blob, blob_of(id));
    return blob.record;
  }

  Result<LoadedBlob> load(BlobId id) const override {
    WEIGHTFS_ASSIGN(StoredBlob blob, blob_of(id));
    const ByteSpan encoded = *blob.encoded;
    return LoadedBlob(blob.record, encoded, std::make_unique<SharedKeep>(std::move(blob.encoded)));
  }

  void will_load(std::span<const BlobId>) const override {}
  void drop_resident() const override {}

  Status put(std::span<const NewBlob> blobs) override {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      WEIGHTFS_TRY(check_length(blobs[i]));
      const bool is_twice = std::any_of(
          blobs.begin(), blobs.begin() + static_cast<std::ptrdiff_t>(i),
          [&](const NewBlob& earlier) { return earlier.record.id == blobs[i].record.id; });
      if (is_twice || blobs_.contains(blobs[i].record.id)) {
        return fail(Code::exists,
                    fmt::format("there already is a blob {}", number(blobs[i].record.id)));
      }
    }
    for (const NewBlob& blob : blobs) {
      BlobRecord record = blob.record;
      if (record.indexed) record.indexed = index_.try_emplace(record.content, record.id).second;
      blobs_[record.id] = stored(record, blob.encoded);
    }
    return {};
  }

  Status replace(std::span<const NewBlob> blobs) override {
    const std::lock_guard lock(mutex_);
    for (const NewBlob& blob : blobs) {
      WEIGHTFS_TRY(check_length(blob));
      const auto existing = blobs_.find(blob.record.id);
      if (existing == blobs_.end()) return fail_missing(blob.record.id);
      if (existing->second.record.content != blob.record.content) {
        return fail(Code::invalid, "a blob can't be replaced by one of other content");
      }
    }
    for (const NewBlob& blob : blobs) {
      BlobRecord record = blob.record;
      record.indexed = blobs_[record.id].record.indexed;
      blobs_[record.id] = stored(record, blob.encoded);
    }
    return {};
  }

  Result<std::vector<bool>> recode(std::span<const Recoding> recodings) override {
    std::vector<bool> replaced;
    for (const Recoding& recoding : recodings) {
      const auto existing = record(recoding.before.id);
      replaced.push_back(existing && *existing == recoding.before);
      if (replaced.back()) WEIGHTFS_TRY(replace({&recoding.after, 1}));
    }
    return replaced;
  }

  Status erase(std::span<const BlobId> ids) override {
    const std::lock_guard lock(mutex_);
    for (const BlobId id : ids) {
      const auto found = blobs_.find(id);
      if (found == blobs_.end()) continue;
      if (found->second.record.indexed) index_.erase(found->second.record.content);
      blobs_.erase(found);
    }
    return {};
  }

  Status release_space() override { return {}; }

  Status for_each(BlobId from, const std::function<bool(const BlobRecord&)>& visit) const override {
    std::vector<BlobRecord> records;
    {
      const std::lock_guard lock(mutex_);
      for (auto it = blobs_.lower_bound(from); it != blobs_.end(); ++it) {
        records.push_back(it->second.record);
      }
    }
    for (const BlobRecord& record : records) {
      if (!visit(record)) break;
    }
    return {};
  }

  // Nothing outside of this class can damage what it holds.
  Status check_index(bool, const std::function<void(const std::string&)>&) override { return {}; }

  Result<BlobId> last_id() const override {
    const std::lock_guard lock(mutex_);
    return blobs_.empty() ? BlobId::none : blobs_.rbegin()->first;
  }

  Result<BlobStoreStats> stats() const override {
    const std::lock_guard lock(mutex_);
    BlobStoreStats stats{.blob_count = blobs_.size()};
    for (const auto& [id, blob] : blobs_) stats.file_bytes += blob.encoded->size();
    return stats;
  }

 private:
  static tl::unexpected<Error> fail_missing(BlobId id) {
    return fail(Code::not_found, fmt::format("there is no blob {}", number(id)));
  }
  static Status check_length(const NewBlob& blob) {
    if (blob.encoded.size() == blob.record.encoded_bytes) return {};
    return fail(Code::invalid, "a blob's record has another length than its bytes");
  }
  static StoredBlob stored(const BlobRecord& record, ByteSpan encoded) {
    return {record, std::make_shared<const ByteVector>(encoded.begin(), encoded.end())};
  }

  std::optional<BlobRecord> find_locked(const ContentId& content) const {
    const auto found = index_.find(content);
    if (found == index_.end()) return std::nullopt;
    return blobs_.at(found->second).record;
  }
  Result<StoredBlob> blob_of(BlobId id) const {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(id);
    if (found == blobs_.end()) return fail_missing(id);
    return found->second;
  }

  mutable std::mutex mutex_;  // protects both; a leaf in the lock order
  std::map<BlobId, StoredBlob> blobs_;
  std::unordered_map<ContentId, BlobId> index_;
};

}  // namespace

std::unique_ptr<BlobStore> make_memory_blob_store() {
  return std::make_unique<MemoryBlobStore>();
}

}  // namespace weightfs::store
