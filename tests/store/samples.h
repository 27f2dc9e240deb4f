// Blobs for the tests of blob stores.
#pragma once

#include <random>
#include <vector>

#include "weightfs/store/blob_store.h"

namespace weightfs::store {

// A blob that owns its bytes.
struct Sample {
  BlobRecord record;
  ByteVector encoded;
  NewBlob view() const { return {record, encoded}; }
};

inline ByteVector random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  ByteVector bytes(size);
  for (std::byte& value : bytes) value = static_cast<std::byte>(random());
  return bytes;
}

// A raw blob whose bytes depend on its id.
inline Sample sample(std::uint64_t id, std::size_t size = 1000) {
  Sample made;
  made.encoded = random_bytes(size, id);
  made.record.id = static_cast<BlobId>(id);
  made.record.content = content_id(made.encoded);
  made.record.encoded_bytes = static_cast<std::uint32_t>(size);
  made.record.owner_uid = 1000 + static_cast<std::uint32_t>(id);
  return made;
}

// Borrowed: valid as long as `samples` are.
inline std::vector<NewBlob> views(const std::vector<Sample>& samples) {
  std::vector<NewBlob> blobs;
  for (const Sample& one : samples) blobs.push_back(one.view());
  return blobs;
}

}  // namespace weightfs::store
