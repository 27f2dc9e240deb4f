// The blob store: encoded blocks by a sequential id, and an index of content ids.
//
// Ids are given by the caller, ascending, never reused; they never leave the store's directory. The
// store knows nothing of files: what refers to a blob is tree/'s business. All functions are
// thread-safe. Implementations: LMDB (the product's) and memory (for tests above it); one
// conformance suite runs over both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"
#include "weightfs/codec/codec.h"
#include "weightfs/hash/content_id.h"

namespace weightfs::store {

enum class BlobId : std::uint64_t { none = 0 };
constexpr std::uint64_t number(BlobId id) {
  return static_cast<std::uint64_t>(id);
}

struct BlobRecord {
  BlobId id = BlobId::none;
  ContentId content;  // of the raw bytes; content.length_bytes is their number
  codec::CodecTag codec = codec::CodecTag::raw;
  std::uint32_t encoded_bytes = 0;
  BlobId base = BlobId::none;   // the blob that decoding needs; itself without a base
  std::uint32_t owner_uid = 0;  // who wrote these bytes first
  // False for a blob that must not be found by content: another one has the same content id.
  bool indexed = true;

  bool operator==(const BlobRecord&) const = default;
};

struct NewBlob {
  BlobRecord record;  // record.encoded_bytes == encoded.size()
  ByteSpan encoded;   // borrowed for the call
};

// Another encoding of a blob that was read as `before`.
struct Recoding {
  BlobRecord before;
  NewBlob after;  // of the same id, content and base
};

// The encoded bytes of one blob, alive as long as this is. Short-lived: it may hold a transaction.
class LoadedBlob {
 public:
  class Keep {
   public:
    virtual ~Keep() = default;
  };
  LoadedBlob(BlobRecord record, ByteSpan encoded, std::unique_ptr<Keep> keep)
      : record_(record), encoded_(encoded), keep_(std::move(keep)) {}
  const BlobRecord& record() const { return record_; }
  ByteSpan encoded() const { return encoded_; }

 private:
  BlobRecord record_;
  ByteSpan encoded_;
  std::unique_ptr<Keep> keep_;
};

struct BlobStoreStats {
  std::uint64_t blob_count = 0;
  std::uint64_t file_bytes = 0;  // what the store takes on disk
  std::uint64_t free_bytes = 0;  // of that, what later writes reuse
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;

  // The indexed blob with this content; nothing where there is none, or where its record is
  // damaged.
  virtual Result<std::optional<BlobRecord>> find(const ContentId& content) const = 0;
  // One transaction for many; the result has one place for each.
  virtual Result<std::vector<std::optional<BlobRecord>>> find_all(
      std::span<const ContentId> contents) const = 0;
  // Code::not_found where there is no such blob (a store that lost it).
  virtual Result<BlobRecord> record(BlobId id) const = 0;
  virtual Result<LoadedBlob> load(BlobId id) const = 0;
  // Tells that these will be loaded soon, in this order; returns at once.
  virtual void will_load(std::span<const BlobId> ids) const = 0;
  // Gives memory back that past loads left mapped; what is loaded now stays valid.
  virtual void drop_resident() const = 0;
  // Durable when it returns. Ids must be new, otherwise Code::exists and nothing is written;
  // ascending ids are written in order on disk. A blob whose content another indexed blob has is
  // stored with `indexed` false, whatever its record says. One transaction, kept in memory until it
  // is written: at most 64 MiB a call.
  virtual Status put(std::span<const NewBlob> blobs) = 0;
  // Puts another encoding of the same content under ids that exist (heal, recode). Durable.
  // Code::not_found where there is no such id, Code::invalid for other content: nothing is written.
  virtual Status replace(std::span<const NewBlob> blobs) = 0;
  // The same for those that are still what they were when they were read; passes over others, which
  // were erased or healed meanwhile. Answers which were replaced, a place for each. Durable, one
  // transaction: a crash leaves each blob in the old encoding or each in the new one.
  virtual Result<std::vector<bool>> recode(std::span<const Recoding> recodings) = 0;
  // Removes blobs and their index entries; ids that are not there are passed over. Durable.
  virtual Status erase(std::span<const BlobId> ids) = 0;
  // Gives the disk back what erased blobs took. One thread at a time; may take a while, and lets
  // writes through meanwhile. What readers still hold open stays until the next call.
  virtual Status release_space() = 0;
  // Calls `visit` in ascending order from `from` until it answers false. Reads in bounded
  // transactions, so blobs put meanwhile may or may not be seen. Damaged records are passed over:
  // check_index() names them.
  virtual Status for_each(BlobId from,
                          const std::function<bool(const BlobRecord&)>& visit) const = 0;
  // The content index against the records: calls `complain` with a line for each entry that does
  // not match and each record that is damaged; `repair` rebuilds the index from the records.
  virtual Status check_index(bool repair,
                             const std::function<void(const std::string&)>& complain) = 0;
  // The greatest id in use; none where empty.
  virtual Result<BlobId> last_id() const = 0;
  virtual Result<BlobStoreStats> stats() const = 0;
};

struct LmdbBlobStoreOptions {
  std::string path;  // the directory of the environment
  bool read_only = false;
};
Result<std::unique_ptr<BlobStore>> open_lmdb_blob_store(const LmdbBlobStoreOptions& options);
std::unique_ptr<BlobStore> make_memory_blob_store();

}  // namespace weightfs::store
