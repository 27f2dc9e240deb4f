// The persisted form of a blob's record. Private to store/.
//
// docs/store-format.md, "blobs environment":
//   0  u8   version, 1
//   1  u8   codec tag
//   2  u8   flags: bit 0 indexed; others 0
//   3  u8   0
//   4  u32  length of the raw bytes
//   8  u64  content hash, low half
//   16 u64  content hash, high half
//   24 u32  length of the encoded bytes
//   28 u32  uid of the owner
//   32 u64  id of the base, 0 without one
//   40 u64  XXH3-64 of bytes 0 to 39, with the blob's id as the seed
// All little-endian. The key is the id, big-endian, so that ids are in order.
#pragma once

#include <array>
#include <string>

#include "weightfs/store/blob_store.h"

namespace weightfs::store {

constexpr std::size_t kRecordBytes = 48;
using EncodedRecord = std::array<std::byte, kRecordBytes>;

std::string key_of(BlobId id);
// Nothing for a key that is not 8 bytes long.
std::optional<BlobId> id_of(std::string_view key);

EncodedRecord serialize_record(const BlobRecord& record);
// Code::corrupt for bytes that are not the record of blob `id`, Code::newer_version for those of a
// later weightfs.
Result<BlobRecord> parse_record(BlobId id, ByteSpan bytes);

}  // namespace weightfs::store
