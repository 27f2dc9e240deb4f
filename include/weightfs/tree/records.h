// What the metadata tables hold: plain values with a persisted form each.
//
// docs/store-format.md has every byte; parse_* mirrors serialize_*. Little-endian fields, varints
// as in protobuf. A parser trusts nothing and answers Code::corrupt.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/store/blob_store.h"

namespace weightfs::tree {

using InodeNumber = std::uint64_t;
constexpr InodeNumber kRootInode = 1;

enum class RecipeId : std::uint64_t { none = 0 };
constexpr std::uint64_t number(RecipeId id) {
  return static_cast<std::uint64_t>(id);
}
enum class StagingId : std::uint64_t { none = 0 };
constexpr std::uint64_t number(StagingId id) {
  return static_cast<std::uint64_t>(id);
}

// Where a range of a file's content comes from when not from its recipe. Persisted.
enum class RangeKind : std::uint8_t {
  staged = 1,  // the same range of the staging file
  zero = 2,    // a hole
};

struct ContentRange {
  std::uint64_t begin_bytes = 0;
  std::uint64_t end_bytes = 0;  // exclusive
  RangeKind kind = RangeKind::staged;
  bool operator==(const ContentRange&) const = default;
};

// The content of a regular file. A byte at offset o < size_bytes is, in this order: what the range
// that covers o says; the recipe's byte where o < recipe_limit_bytes; zero.
struct ContentRecord {
  std::uint64_t size_bytes = 0;
  RecipeId recipe = RecipeId::none;
  std::uint64_t recipe_limit_bytes = 0;
  StagingId staging = StagingId::none;
  std::uint64_t stored_bytes = 0;    // what du shows: new bytes that this file's seal stored
  std::vector<ContentRange> ranges;  // sorted, disjoint
  bool operator==(const ContentRecord&) const = default;
};

struct InodeRecord {
  std::uint32_t mode = 0;
  std::uint32_t link_count = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t device = 0;
  timespec atime{};
  timespec mtime{};
  timespec ctime{};
  timespec btime{};
  // Directories.
  InodeNumber parent = 0;
  std::uint64_t entry_count = 0;
  std::uint64_t next_cookie = 1;
  // Symlinks.
  std::string symlink_target;
  // Regular files.
  ContentRecord content;
};

std::string serialize_inode(const InodeRecord& inode);
Result<InodeRecord> parse_inode(std::string_view bytes);

// A name in a directory.
struct EntryRecord {
  InodeNumber inode = 0;
  std::uint32_t type_mode = 0;  // the S_IFMT bits
  std::uint64_t cookie = 0;     // its place in the directory's order
};
std::string serialize_entry(const EntryRecord& entry);
Result<EntryRecord> parse_entry(std::string_view bytes);

// The same name, found by its cookie.
struct CookieRecord {
  InodeNumber inode = 0;
  std::uint32_t type_mode = 0;
  std::string name;
};
std::string serialize_cookie(const CookieRecord& entry);
Result<CookieRecord> parse_cookie(std::string_view bytes);

// One piece of a recipe: a blob, or a run of zeros (BlobId::none) of any length.
struct RecipeEntry {
  store::BlobId blob = store::BlobId::none;
  std::uint64_t length_bytes = 0;
  bool operator==(const RecipeEntry&) const = default;
};
constexpr std::size_t kRecipeChunkEntries = 1024;
std::string serialize_recipe_chunk(const std::vector<RecipeEntry>& entries);
Result<std::vector<RecipeEntry>> parse_recipe_chunk(std::string_view bytes);

// A stored tensor that others may be coded against: its sketch (similar/), how its blocks were cut,
// and the blob of each block; none for blocks that can't be a base (zeros, deltas).
struct BaseRecord {
  std::string sketch;
  std::uint64_t block_bytes = 0;
  std::vector<store::BlobId> blobs;
};
std::string serialize_base(const BaseRecord& base);
Result<BaseRecord> parse_base(std::string_view bytes);

struct RecipeHeader {
  std::uint64_t size_bytes = 0;
  std::uint64_t reference_count = 0;  // inodes whose committed content is this recipe
  std::uint64_t stored_bytes = 0;     // new encoded bytes that its seal put into the store
  std::uint64_t entry_count = 0;
  std::vector<std::uint64_t> chunk_begin_bytes;  // where in the file each chunk of entries begins
};
std::string serialize_recipe_header(const RecipeHeader& header);
Result<RecipeHeader> parse_recipe_header(std::string_view bytes);

}  // namespace weightfs::tree
