#include <fmt/format.h>

#include <atomic>
#include <mutex>

#include "blob_record.h"
#include "blob_tables.h"
#include "index_check.h"
#include "weightfs/base/fault.h"

namespace weightfs::store {
namespace {

// Bounds how long a reader holds a transaction, and how many pages one commit frees.
constexpr std::size_t kRecordsPerRead = 1024;
constexpr std::size_t kErasesPerCommit = 256;
constexpr std::uint64_t kMostMappedBytes = std::uint64_t{24} << 20;
// A look at a value's first page maps its neighbours too (the kernel's fault-around).
constexpr std::size_t kTouchedByErasureBytes = 128 << 10;
// Commits after which LMDB is sure of a page that was freed.
constexpr unsigned kMostTouches = 2;

class TransactionKeep final : public LoadedBlob::Keep {
 public:
  explicit TransactionKeep(kv::ReadTransaction transaction)
      : transaction_(std::move(transaction)) {}

 private:
  kv::ReadTransaction transaction_;
};

// Payloads that were put together lie side by side, so that hints for them can be few and long.
class ReadAheadRuns {
 public:
  ~ReadAheadRuns() { flush(); }
  void add(ByteSpan value) {
    if (!follows(value)) {
      flush();
      run_ = value;
    } else {
      run_ = {run_.data(), value.data() + value.size()};
    }
  }

 private:
  // A value starts behind its page's header, on the page after the one in which the last ended.
  static constexpr std::ptrdiff_t kMaxGapBytes = 4096 + 64;

  bool follows(ByteSpan value) const {
    if (run_.empty()) return false;
    const std::ptrdiff_t gap = value.data() - (run_.data() + run_.size());
    return gap >= 0 && gap <= kMaxGapBytes;
  }
  void flush() { kv::Environment::will_need(std::exchange(run_, {})); }

  ByteSpan run_;
};

class LmdbBlobStore final : public BlobStore {
 public:
  LmdbBlobStore(std::unique_ptr<kv::Environment> environment, BlobTables tables)
      : environment_(std::move(environment)), tables_(tables) {}

  Result<std::optional<BlobRecord>> find(const ContentId& content) const override {
    WEIGHTFS_ASSIGN(const kv::ReadTransaction transaction, environment_->begin_read());
    return find_record(transaction, tables_, content);
  }

  Result<std::vector<std::optional<BlobRecord>>> find_all(
      std::span<const ContentId> contents) const override {
    WEIGHTFS_ASSIGN(const kv::ReadTransaction transaction, environment_->begin_read());
    std::vector<std::optional<BlobRecord>> records;
    records.reserve(contents.size());
    for (const ContentId& content : contents) {
      WEIGHTFS_ASSIGN(auto record, find_record(transaction, tables_, content));
      records.push_back(record);
    }
    return records;
  }

  Result<BlobRecord> record(BlobId id) const override {
    WEIGHTFS_ASSIGN(const kv::ReadTransaction transaction, environment_->begin_read());
    return read_record(transaction, tables_, id);
  }

  Result<LoadedBlob> load(BlobId id) const override {
    WEIGHTFS_ASSIGN(kv::ReadTransaction transaction, environment_->begin_read());
    WEIGHTFS_ASSIGN(const BlobRecord record, read_record(transaction, tables_, id));
    WEIGHTFS_ASSIGN(const auto payload, transaction.get(tables_.payload, key_of(id)));
    const ByteSpan encoded = payload.value_or(ByteSpan());
    if (encoded.size() != record.encoded_bytes) {
      return fail(Code::corrupt, fmt::format("blob {} has {} encoded bytes instead of {}",
                                             number(id), encoded.size(), record.encoded_bytes));
    }
    note_mapped(encoded.size());
    return LoadedBlob(record, encoded, std::make_unique<TransactionKeep>(std::move(transaction)));
  }

  void drop_resident() const override { environment_->drop_resident(); }
  void will_load(std::span<const BlobId> ids) const override {
    const auto transaction = environment_->begin_read();
    if (!transaction) return;
    ReadAheadRuns runs;
    for (const BlobId id : ids) {
      const auto payload = transaction->get(tables_.payload, key_of(id));
      if (payload && *payload) runs.add(**payload);
    }
  }

  Status put(std::span<const NewBlob> blobs) override { return write(blobs, put_blob); }
  Status replace(std::span<const NewBlob> blobs) override { return write(blobs, replace_blob); }

  Result<std::vector<bool>> recode(std::span<const Recoding> recodings) override {
    std::vector<bool> replaced(recodings.size());
    if (recodings.empty()) return replaced;
    WEIGHTFS_FAULT_POINT("store.recode.before");
    WEIGHTFS_ASSIGN(kv::WriteTransaction transaction, environment_->begin_write());
    for (std::size_t i = 0; i < recodings.size(); ++i) {
      WEIGHTFS_ASSIGN(replaced[i], recode_blob(transaction, tables_, recodings[i]));
    }
    WEIGHTFS_FAULT_POINT("store.recode.written");
    WEIGHTFS_TRY(transaction.commit());
    WEIGHTFS_FAULT_POINT("store.recode.after");
    return replaced;
  }

  Status erase(std::span<const BlobId> ids) override {
    while (!ids.empty()) {
      const std::size_t count = std::min(ids.size(), kErasesPerCommit);
      WEIGHTFS_TRY(erase_together(ids.first(count)));
      ids = ids.subspan(count);
    }
    return {};
  }

  Status release_space() override {
    for (unsigned touches = 0;;) {
      const Result<kv::PunchProgress> progress = environment_->punch_free_pages();
      if (!progress && progress.error().code == Code::unsupported) return {};
      WEIGHTFS_TRY(progress);
      if (progress->more) continue;
      if (!progress->waits_for_commit || touches == kMostTouches) return {};
      WEIGHTFS_TRY(write_version(*environment_, tables_));
      ++touches;
    }
  }

  Status for_each(BlobId from, const std::function<bool(const BlobRecord&)>& visit) const override {
    std::optional<BlobId> position = from;
    while (position) {
      std::vector<BlobRecord> records;
      WEIGHTFS_ASSIGN(position, read_records(*position, records));
      for (const BlobRecord& record : records) {
        if (!visit(record)) return {};
      }
    }
    return {};
  }

  Status check_index(bool repair,
                     const std::function<void(const std::string&)>& complain) override {
    return check_blob_index(*environment_, tables_, repair, complain);
  }

  Result<BlobId> last_id() const override {
    WEIGHTFS_ASSIGN(const kv::ReadTransaction transaction, environment_->begin_read());
    WEIGHTFS_ASSIGN(kv::Cursor cursor, kv::Cursor::open(transaction, tables_.records));
    WEIGHTFS_ASSIGN(const bool found, cursor.last());
    return found ? id_of(cursor.key()).value_or(BlobId::none) : BlobId::none;
  }

  Result<BlobStoreStats> stats() const override {
    WEIGHTFS_ASSIGN(const kv::EnvironmentStats environment, environment_->stats());
    WEIGHTFS_ASSIGN(const kv::ReadTransaction transaction, environment_->begin_read());
    WEIGHTFS_ASSIGN(const kv::TableStats records, transaction.stats(tables_.records));
    return BlobStoreStats{.blob_count = records.entries,
                          .file_bytes = environment.file_bytes,
                          .free_bytes = environment.free_bytes};
  }

 private:
  using WriteBlob = Status (*)(kv::WriteTransaction&, const BlobTables&, const NewBlob&);

  Status write(std::span<const NewBlob> blobs, WriteBlob write_one) {
    if (blobs.empty()) return {};
    WEIGHTFS_FAULT_POINT("store.put.before");
    WEIGHTFS_ASSIGN(kv::WriteTransaction transaction, environment_->begin_write());
    for (const NewBlob& blob : blobs) WEIGHTFS_TRY(write_one(transaction, tables_, blob));
    WEIGHTFS_FAULT_POINT("store.put.written");
    WEIGHTFS_TRY(transaction.commit());
    WEIGHTFS_FAULT_POINT("store.put.after");
    return {};
  }

  Status erase_together(std::span<const BlobId> ids) {
    WEIGHTFS_FAULT_POINT("store.erase.before");
    WEIGHTFS_ASSIGN(kv::WriteTransaction transaction, environment_->begin_write());
    for (const BlobId id : ids) WEIGHTFS_TRY(erase_blob(transaction, tables_, id));
    WEIGHTFS_TRY(transaction.commit());
    note_mapped(ids.size() * kTouchedByErasureBytes);
    WEIGHTFS_FAULT_POINT("store.erase.after");
    return {};
  }

  // What is read through the map of the file counts as this process's memory until it is told not
  // to; told by volume, since a timer would let a fast reader gather gigabytes.
  void note_mapped(std::size_t size_bytes) const {
    const std::uint64_t before = mapped_bytes_.fetch_add(size_bytes, std::memory_order_relaxed);
    if (before / kMostMappedBytes == (before + size_bytes) / kMostMappedBytes) return;
    environment_->drop_resident();
  }

  // Appends the whole records of one bounded transaction; answers where the next one goes on.
  Result<std::optional<BlobId>> read_records(BlobId from, std::vector<BlobRecord>& records) const {
    WEIGHTFS_ASSIGN(const kv::ReadTransaction transaction, environment_->begin_read());
    WEIGHTFS_ASSIGN(kv::Cursor cursor, kv::Cursor::open(transaction, tables_.records));
    WEIGHTFS_ASSIGN(bool found, cursor.seek(key_of(from)));
    for (std::size_t count = 0; found; ++count) {
      const auto id = id_of(cursor.key());
      if (id && count >= kRecordsPerRead) return id;
      if (id) {
        if (auto record = parse_record(*id, cursor.value())) records.push_back(*record);
      }
      WEIGHTFS_ASSIGN(found, cursor.next());
    }
    return std::nullopt;
  }

  const std::unique_ptr<kv::Environment> environment_;
  const BlobTables tables_;
  mutable std::atomic<std::uint64_t> mapped_bytes_{0};  // ever
};

}  // namespace

Result<std::unique_ptr<BlobStore>> open_lmdb_blob_store(const LmdbBlobStoreOptions& options) {
  WEIGHTFS_ASSIGN(auto environment,
                  kv::Environment::open({.path = options.path, .read_only = options.read_only}));
  WEIGHTFS_ASSIGN(const BlobTables tables, open_blob_tables(*environment));
  return std::make_unique<LmdbBlobStore>(std::move(environment), tables);
}

}  // namespace weightfs::store
