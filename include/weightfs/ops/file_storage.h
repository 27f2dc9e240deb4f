// How one file is stored: its blobs, their codecs, and who else has them.
//
// The functions that take a Filesystem run where the store is open; others ask the daemon over the
// control socket (docs/commands/stat.md). All are thread-safe.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/fs/types.h"
#include "weightfs/ops/report.h"

namespace weightfs::ops {

struct Sharer {
  std::string path;
  std::uint64_t shared_bytes = 0;  // raw bytes of this file that the other one has as well
};

struct FileStorage {
  std::uint64_t inode = 0;
  std::uint64_t size_bytes = 0;
  bool is_sealed = false;
  std::uint64_t stored_bytes = 0;    // what its own seal added to the store; du shows this
  std::uint64_t encoded_bytes = 0;   // of all blobs that it refers to, shared or not
  std::uint64_t unsealed_bytes = 0;  // still in staging
  std::uint64_t zero_bytes = 0;      // holes and blocks of zeros
  std::uint64_t blocks = 0;          // references to blobs
  std::uint64_t distinct_blobs = 0;
  std::string format;  // as its parser named it; empty before the first seal
  std::vector<CodecUse> codecs;
  std::vector<Sharer> sharers;     // those that share most come first
  std::uint64_t sharer_count = 0;  // may be more than are listed
};

struct FileStorageOptions {
  std::size_t max_sharers = 10;  // 0: don't look, which needs no walk over all recipes
};

// Code::invalid for what is not a regular file.
Result<FileStorage> file_storage(fs::Filesystem& filesystem, fs::InodeNumber inode,
                                 const FileStorageOptions& options);
// Of a file in a mount, from its daemon. Code::unsupported where `path` lies in none.
Result<FileStorage> mounted_file_storage(const std::string& path);

// A tensor of a sealed file by its place in the file.
struct TensorStorage {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  std::uint64_t stored_bytes =
      0;  // encoded; blobs that reach beyond the tensor count in proportion
  std::vector<std::string> shared_with;
};
// Of every tensor that the file's layout names; empty while the file waits for its seal.
Result<std::vector<TensorStorage>> tensor_storage(fs::Filesystem& filesystem,
                                                  fs::InodeNumber inode);
Result<std::vector<TensorStorage>> mounted_tensor_storage(const std::string& path);

// Extended attributes that are computed when they are asked for: user.weightfs.stored, .blocks,
// .codecs, .format, .sealed, .shared, .encoded. Nothing for every other name. They are not listed,
// so that copies don't take them along.
Result<std::optional<std::string>> virtual_xattr(fs::Filesystem& filesystem, fs::InodeNumber inode,
                                                 std::string_view name);

nlohmann::json to_json(const FileStorage& storage);
Result<FileStorage> file_storage_from_json(const nlohmann::json& json);
nlohmann::json to_json(const std::vector<TensorStorage>& tensors);
Result<std::vector<TensorStorage>> tensor_storage_from_json(const nlohmann::json& json);

}  // namespace weightfs::ops
