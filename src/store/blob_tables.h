// The tables of the blobs environment, and what is done to them inside a transaction. Private to
// store/.
//
// docs/store-format.md, "blobs environment":
//   format   "version"             -> u32, 1
//   records  id, big-endian u64    -> BlobRecord (blob_record.h)
//   payload  id, big-endian u64    -> the encoded bytes; no entry where there are none
//   index    ContentId::encoded()  -> id, big-endian u64
// A content id's entry names a blob whose record has that content and its indexed flag set.
#pragma once

#include "weightfs/kv/environment.h"
#include "weightfs/store/blob_store.h"

namespace weightfs::store {

struct BlobTables {
  kv::Table format;
  kv::Table records;
  kv::Table payload;
  kv::Table index;
};

// Opens the tables, or makes them. Code::newer_version for a store of a later weightfs.
Result<BlobTables> open_blob_tables(kv::Environment& environment);
// Writes what is there already, for a commit that changes nothing else.
Status write_version(kv::Environment& environment, const BlobTables& tables);

// Code::not_found where there is no such blob, Code::corrupt where its record is damaged.
Result<BlobRecord> read_record(const kv::ReadTransaction& transaction, const BlobTables& tables,
                               BlobId id);
// The blob that the index names for a content; nothing where there is no entry, or a wrong one.
Result<std::optional<BlobRecord>> find_record(const kv::ReadTransaction& transaction,
                                              const BlobTables& tables, const ContentId& content);

Status put_blob(kv::WriteTransaction& transaction, const BlobTables& tables, const NewBlob& blob);
Status replace_blob(kv::WriteTransaction& transaction, const BlobTables& tables,
                    const NewBlob& blob);
// Whether the blob was still as `recoding.before` says, and so is replaced.
Result<bool> recode_blob(kv::WriteTransaction& transaction, const BlobTables& tables,
                         const Recoding& recoding);
// For a record that is flagged as indexed: makes the index name it, or takes the flag away where
// the index names another blob with that content.
Status settle_index(kv::WriteTransaction& transaction, const BlobTables& tables, BlobRecord record);
Status erase_blob(kv::WriteTransaction& transaction, const BlobTables& tables, BlobId id);

}  // namespace weightfs::store
