#include "blob_record.h"

#include <fmt/format.h>

#include "weightfs/hash/checksum.h"

namespace weightfs::store {
namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr std::uint8_t kIndexedFlag = 1;
constexpr std::size_t kChecksummedBytes = 40;

}  // namespace

std::string key_of(BlobId id) {
  std::string key;
  append_big_endian(key, number(id));
  return key;
}

std::optional<BlobId> id_of(std::string_view key) {
  if (key.size() != sizeof(std::uint64_t)) return std::nullopt;
  return static_cast<BlobId>(ByteReader(bytes_of(key)).big_endian<std::uint64_t>());
}

EncodedRecord serialize_record(const BlobRecord& record) {
  EncodedRecord encoded{};
  std::byte* out = encoded.data();
  const auto write = [&out](auto value) {
    store_unaligned(out, value);
    out += sizeof value;
  };
  write(kRecordVersion);
  write(static_cast<std::uint8_t>(record.codec));
  write(record.indexed ? kIndexedFlag : std::uint8_t{0});
  write(std::uint8_t{0});
  write(record.content.length_bytes);
  write(record.content.low);
  write(record.content.high);
  write(record.encoded_bytes);
  write(record.owner_uid);
  write(number(record.base));
  write(checksum(ByteSpan(encoded).first(kChecksummedBytes), number(record.id)));
  return encoded;
}

Result<BlobRecord> parse_record(BlobId id, ByteSpan bytes) {
  ByteReader in(bytes);
  const bool is_whole = bytes.size() == kRecordBytes &&
                        load_unaligned<std::uint64_t>(bytes.data() + kChecksummedBytes) ==
                            checksum(bytes.first(kChecksummedBytes), number(id));
  if (!is_whole) {
    return fail(Code::corrupt, fmt::format("the record of blob {} is damaged", number(id)));
  }
  if (in.u8() != kRecordVersion) {
    return fail(Code::newer_version,
                fmt::format("blob {} was written by a later weightfs", number(id)));
  }
  BlobRecord record;
  record.id = id;
  record.codec = static_cast<codec::CodecTag>(in.u8());
  record.indexed = (in.u8() & kIndexedFlag) != 0;
  in.skip(1);
  record.content.length_bytes = in.u32();
  record.content.low = in.u64();
  record.content.high = in.u64();
  record.encoded_bytes = in.u32();
  record.owner_uid = in.u32();
  record.base = static_cast<BlobId>(in.u64());
  return record;
}

}  // namespace weightfs::store
