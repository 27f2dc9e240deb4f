// JSON forms of what the daemon tells about one file, and the questions that fetch it.
#include <sys/stat.h>

#include "json.h"
#include "weightfs/ops/file_storage.h"
#include "weightfs/ops/place.h"

namespace weightfs::ops {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Sharer, path, shared_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FileStorage, inode, size_bytes, is_sealed, stored_bytes,
                                   encoded_bytes, unsealed_bytes, zero_bytes, blocks,
                                   distinct_blobs, format, codecs, sharers, sharer_count)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TensorStorage, offset_bytes, length_bytes, stored_bytes,
                                   shared_with)

namespace {

// FUSE's node ids are the store's inode numbers, so stat(2) of a file in a mount tells the latter.
Result<json> ask_about(const std::string& path, const char* operation) {
  WEIGHTFS_ASSIGN(const Place place, find_place(path));
  if (!place.is_mounted) return fail(Code::unsupported, path + " is not in a mounted store");
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, path);
  if (!S_ISREG(status.st_mode)) return fail(Code::invalid, path + " is not a regular file");
  return ask_daemon(place, {{"op", operation}, {"inode", status.st_ino}});
}

}  // namespace

Result<FileStorage> mounted_file_storage(const std::string& path) {
  WEIGHTFS_ASSIGN(const json answer, ask_about(path, "stat"));
  return file_storage_from_json(answer);
}

Result<std::vector<TensorStorage>> mounted_tensor_storage(const std::string& path) {
  WEIGHTFS_ASSIGN(const json answer, ask_about(path, "tensors"));
  return tensor_storage_from_json(answer);
}

json to_json(const FileStorage& storage) {
  return json(storage);
}
Result<FileStorage> file_storage_from_json(const json& value) {
  return value_from_json<FileStorage>(value);
}
json to_json(const std::vector<TensorStorage>& tensors) {
  return json(tensors);
}
Result<std::vector<TensorStorage>> tensor_storage_from_json(const json& value) {
  return value_from_json<std::vector<TensorStorage>>(value);
}

}  // namespace weightfs::ops
