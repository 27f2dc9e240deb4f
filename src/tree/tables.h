// The metadata tables and their keys. docs/store-format.md describes them byte by byte.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "weightfs/base/bytes.h"
#include "weightfs/kv/buffered.h"
#include "weightfs/tree/tree.h"

namespace weightfs::tree {

// Persisted: names are never changed or reused.
struct Tables {
  kv::Table super;          // text -> value; "counters", "optimized.TIER"
  kv::Table inodes;         // inode -> InodeRecord
  kv::Table entries;        // parent, name -> EntryRecord
  kv::Table cookies;        // parent, cookie -> CookieRecord
  kv::Table xattrs;         // inode, name -> value
  kv::Table orphans;        // inode -> nothing
  kv::Table recipes;        // recipe -> RecipeHeader
  kv::Table recipe_chunks;  // recipe, chunk -> RecipeEntry x n
  kv::Table layouts;        // recipe -> layout
  kv::Table references;     // blob -> count
  kv::Table doomed_recipes;
  kv::Table doomed_blobs;  // empty values, or kCondemned
  kv::Table broken_blobs;
  kv::Table bases;  // the first blob of a tensor -> BaseRecord
};

// The value in doomed_blobs of a blob that is erased in any case.
constexpr std::string_view kCondemned = "c";

// A key of one number, or of a number and what follows it: big-endian, so that it sorts.
inline std::string key_of(std::uint64_t first) {
  std::string key;
  key.reserve(8);
  append_big_endian(key, first);
  return key;
}
inline std::string key_of(std::uint64_t first, std::uint64_t second) {
  std::string key;
  key.reserve(16);
  append_big_endian(key, first);
  append_big_endian(key, second);
  return key;
}
inline std::string key_of(std::uint64_t first, std::string_view second) {
  std::string key;
  key.reserve(8 + second.size());
  append_big_endian(key, first);
  key.append(second);
  return key;
}
// The number at byte `at` of a key; 0 where the key is too short.
std::uint64_t number_in_key(std::string_view key, std::size_t at = 0);

struct Tree::Impl {
  std::unique_ptr<kv::Environment> environment;
  Tables tables;
  std::unique_ptr<kv::Buffered> buffered;
};

}  // namespace weightfs::tree
