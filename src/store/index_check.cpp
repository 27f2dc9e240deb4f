#include "index_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "blob_record.h"

namespace weightfs::store {
namespace {

using Complain = std::function<void(const std::string&)>;

constexpr std::size_t kEntriesPerRead = 1024;
constexpr std::size_t kRepairsPerCommit = 4096;

struct Faults {
  std::vector<std::string> wrong_entries;  // keys in the index
  std::vector<BlobRecord>
      unsettled;  // flagged as indexed, while the index names another blob or none
};

class IndexChecker {
 public:
  IndexChecker(kv::Environment& environment, const BlobTables& tables, const Complain& complain)
      : environment_(environment), tables_(tables), complain_(complain) {}

  Result<Faults> look() {
    WEIGHTFS_TRY(for_each_pair(tables_.index, &IndexChecker::check_entry));
    WEIGHTFS_TRY(for_each_pair(tables_.records, &IndexChecker::check_record));
    return std::move(faults_);
  }

 private:
  using Check = Status (IndexChecker::*)(const kv::ReadTransaction&, const kv::Cursor&);

  // Calls `check` for each pair of a table, in bounded transactions.
  Status for_each_pair(kv::Table table, Check check) {
    std::string position;
    for (bool is_more = true; is_more;) {
      WEIGHTFS_ASSIGN(const kv::ReadTransaction transaction, environment_.begin_read());
      WEIGHTFS_ASSIGN(kv::Cursor cursor, kv::Cursor::open(transaction, table));
      WEIGHTFS_ASSIGN(is_more, cursor.seek(position));
      for (std::size_t i = 0; is_more && i < kEntriesPerRead; ++i) {
        WEIGHTFS_TRY((this->*check)(transaction, cursor));
        WEIGHTFS_ASSIGN(is_more, cursor.next());
      }
      if (is_more) position = cursor.key();
    }
    return {};
  }

  Status check_entry(const kv::ReadTransaction& transaction, const kv::Cursor& cursor) {
    if (cursor.key().size() == ContentId::kEncodedBytes) {
      const ContentId content = ContentId::decode(bytes_of(cursor.key()));
      WEIGHTFS_ASSIGN(const auto record, find_record(transaction, tables_, content));
      if (record) return {};
    }
    complain_(fmt::format("index entry {} does not lead to a blob with that content",
                          to_hex(bytes_of(cursor.key()))));
    faults_.wrong_entries.emplace_back(cursor.key());
    return {};
  }

  Status check_record(const kv::ReadTransaction& transaction, const kv::Cursor& cursor) {
    const auto id = id_of(cursor.key());
    const auto record = id ? parse_record(*id, cursor.value())
                           : fail(Code::corrupt, "a record has a key that is no blob's id");
    if (!record) {
      complain_(record.error().message);
      return {};
    }
    if (!record->indexed) return {};
    WEIGHTFS_ASSIGN(const auto holder, find_record(transaction, tables_, record->content));
    if (!holder) {
      complain_(fmt::format("blob {} is not in the index", number(*id)));
      faults_.unsettled.push_back(*record);
    } else if (holder->id != *id) {
      complain_(fmt::format("blobs {} and {} are both indexed for one content", number(holder->id),
                            number(*id)));
      faults_.unsettled.push_back(*record);
    }
    return {};
  }

  kv::Environment& environment_;
  const BlobTables& tables_;
  const Complain& complain_;
  Faults faults_;
};

// Applies `repair_one` to all of `items`, in bounded transactions.
template <class Item, class RepairOne>
Status repair_all(kv::Environment& environment, std::span<const Item> items,
                  const RepairOne& repair_one) {
  while (!items.empty()) {
    const std::size_t count = std::min(items.size(), kRepairsPerCommit);
    WEIGHTFS_ASSIGN(kv::WriteTransaction transaction, environment.begin_write());
    for (const Item& item : items.first(count)) WEIGHTFS_TRY(repair_one(transaction, item));
    WEIGHTFS_TRY(transaction.commit());
    items = items.subspan(count);
  }
  return {};
}

Status repair_faults(kv::Environment& environment, const BlobTables& tables, const Faults& faults) {
  using Transaction = kv::WriteTransaction;
  const auto erase_entry = [&](Transaction& transaction, const std::string& key) -> Status {
    WEIGHTFS_TRY(transaction.erase(tables.index, key));
    return {};
  };
  WEIGHTFS_TRY(repair_all(environment, std::span(faults.wrong_entries), erase_entry));
  return repair_all(environment, std::span(faults.unsettled),
                    [&](Transaction& transaction, const BlobRecord& record) {
                      return settle_index(transaction, tables, record);
                    });
}

}  // namespace

Status check_blob_index(kv::Environment& environment, const BlobTables& tables, bool repair,
                        const Complain& complain) {
  WEIGHTFS_ASSIGN(const Faults faults, IndexChecker(environment, tables, complain).look());
  if (!repair) return {};
  return repair_faults(environment, tables, faults);
}

}  // namespace weightfs::store
