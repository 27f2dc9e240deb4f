#include "blob_tables.h"

#include <fmt/format.h>

#include "blob_record.h"
#include "weightfs/base/log.h"

namespace weightfs::store {
namespace {

constexpr std::uint32_t kFormatVersion = 1;
constexpr std::string_view kVersionKey = "version";

tl::unexpected<Error> fail_missing(BlobId id) {
  return fail(Code::not_found, fmt::format("there is no blob {}", number(id)));
}

// The format's version; nothing where none was written yet.
Result<std::optional<std::uint32_t>> read_version(const kv::Environment& environment,
                                                  kv::Table format) {
  WEIGHTFS_ASSIGN(const kv::ReadTransaction transaction, environment.begin_read());
  WEIGHTFS_ASSIGN(const auto value, transaction.get(format, kVersionKey));
  if (!value) return std::nullopt;
  ByteReader in(*value);
  const std::uint32_t version = in.u32();
  if (in.failed() || version == 0) return fail(Code::corrupt, "the blobs' version is damaged");
  return version;
}

Status check_version(kv::Environment& environment, const BlobTables& tables) {
  WEIGHTFS_ASSIGN(const auto version, read_version(environment, tables.format));
  if (!version) return write_version(environment, tables);
  if (*version > kFormatVersion) {
    return fail(Code::newer_version,
                fmt::format("the blobs have format {}, this weightfs knows {}: use a later one",
                            *version, kFormatVersion));
  }
  return {};
}

// Works in both kinds of transaction.
template <class Transaction>
Result<BlobRecord> read_record_in(const Transaction& transaction, const BlobTables& tables,
                                  BlobId id) {
  WEIGHTFS_ASSIGN(const auto bytes, transaction.get(tables.records, key_of(id)));
  if (!bytes) return fail_missing(id);
  return parse_record(id, *bytes);
}

template <class Transaction>
Result<std::optional<BlobRecord>> find_record_in(const Transaction& transaction,
                                                 const BlobTables& tables,
                                                 const ContentId& content) {
  WEIGHTFS_ASSIGN(const auto entry, transaction.get(tables.index, content.encoded()));
  const auto id = entry ? id_of(text_of(*entry)) : std::nullopt;
  if (!id) return std::nullopt;
  auto record = read_record_in(transaction, tables, *id);
  const bool is_lost =
      !record && (record.error().code == Code::not_found || record.error().code == Code::corrupt);
  if (is_lost) return std::nullopt;
  if (!record) return tl::unexpected(std::move(record.error()));
  if (record->content != content || !record->indexed) return std::nullopt;
  return *record;
}

// Makes the index name `record` for its content, unless it names another blob that has it.
Result<bool> claim_index(kv::WriteTransaction& transaction, const BlobTables& tables,
                         const BlobRecord& record) {
  WEIGHTFS_ASSIGN(const auto holder, find_record_in(transaction, tables, record.content));
  if (holder) return holder->id == record.id;
  WEIGHTFS_TRY(
      transaction.put(tables.index, record.content.encoded(), bytes_of(key_of(record.id))));
  return true;
}

Status write_blob(kv::WriteTransaction& transaction, const BlobTables& tables, BlobRecord record,
                  ByteSpan encoded) {
  if (encoded.size() != record.encoded_bytes) {
    return fail(Code::invalid, "a blob's record has another length than its bytes");
  }
  if (record.indexed) {
    WEIGHTFS_ASSIGN(record.indexed, claim_index(transaction, tables, record));
  }
  const std::string key = key_of(record.id);
  WEIGHTFS_TRY(transaction.append(tables.records, key, serialize_record(record)));
  if (!encoded.empty()) return transaction.append(tables.payload, key, encoded);
  WEIGHTFS_TRY(transaction.erase(tables.payload, key));
  return {};
}

}  // namespace

Status write_version(kv::Environment& environment, const BlobTables& tables) {
  ByteWriter value;
  value.u32(kFormatVersion);
  WEIGHTFS_ASSIGN(kv::WriteTransaction transaction, environment.begin_write());
  WEIGHTFS_TRY(transaction.put(tables.format, kVersionKey, value.view()));
  return transaction.commit();
}

Result<BlobTables> open_blob_tables(kv::Environment& environment) {
  BlobTables tables;
  WEIGHTFS_ASSIGN(tables.format, environment.open_table("format"));
  WEIGHTFS_TRY(check_version(environment, tables));
  WEIGHTFS_ASSIGN(tables.records, environment.open_table("records"));
  WEIGHTFS_ASSIGN(tables.payload, environment.open_table("payload"));
  WEIGHTFS_ASSIGN(tables.index, environment.open_table("index"));
  return tables;
}

Result<BlobRecord> read_record(const kv::ReadTransaction& transaction, const BlobTables& tables,
                               BlobId id) {
  return read_record_in(transaction, tables, id);
}

Result<std::optional<BlobRecord>> find_record(const kv::ReadTransaction& transaction,
                                              const BlobTables& tables, const ContentId& content) {
  return find_record_in(transaction, tables, content);
}

Status put_blob(kv::WriteTransaction& transaction, const BlobTables& tables, const NewBlob& blob) {
  WEIGHTFS_ASSIGN(const auto existing, transaction.get(tables.records, key_of(blob.record.id)));
  if (existing) {
    return fail(Code::exists, fmt::format("there already is a blob {}", number(blob.record.id)));
  }
  return write_blob(transaction, tables, blob.record, blob.encoded);
}

Status replace_blob(kv::WriteTransaction& transaction, const BlobTables& tables,
                    const NewBlob& blob) {
  const auto existing = read_record_in(transaction, tables, blob.record.id);
  BlobRecord record = blob.record;
  if (existing) {
    if (existing->content != record.content) {
      return fail(Code::invalid, "a blob can't be replaced by one of other content");
    }
    record.indexed = existing->indexed;
  } else if (existing.error().code != Code::corrupt) {
    return tl::unexpected(existing.error());
  }
  return write_blob(transaction, tables, record, blob.encoded);
}

Result<bool> recode_blob(kv::WriteTransaction& transaction, const BlobTables& tables,
                         const Recoding& recoding) {
  const auto existing = read_record_in(transaction, tables, recoding.before.id);
  const bool is_lost = !existing && (existing.error().code == Code::not_found ||
                                     existing.error().code == Code::corrupt);
  if (is_lost) return false;
  if (!existing) return tl::unexpected(existing.error());
  if (*existing != recoding.before) return false;
  WEIGHTFS_TRY(replace_blob(transaction, tables, recoding.after));
  return true;
}

Status settle_index(kv::WriteTransaction& transaction, const BlobTables& tables,
                    BlobRecord record) {
  WEIGHTFS_ASSIGN(record.indexed, claim_index(transaction, tables, record));
  return transaction.put(tables.records, key_of(record.id), serialize_record(record));
}

Status erase_blob(kv::WriteTransaction& transaction, const BlobTables& tables, BlobId id) {
  const auto record = read_record_in(transaction, tables, id);
  if (record && record->indexed) {
    WEIGHTFS_ASSIGN(const auto holder, find_record_in(transaction, tables, record->content));
    const bool names_this = holder && holder->id == id;
    if (names_this) WEIGHTFS_TRY(transaction.erase(tables.index, record->content.encoded()));
  }
  WEIGHTFS_TRY(transaction.erase(tables.records, key_of(id)));
  const auto erased = transaction.erase(tables.payload, key_of(id));
  if (!erased && erased.error().code == Code::corrupt) {
    log::warning("blob {} is erased, but its space is lost: {}", number(id),
                 erased.error().message);
    return {};
  }
  WEIGHTFS_TRY(erased);
  return {};
}

}  // namespace weightfs::store
