// The meta pages of LMDB's data file. Private to kv/.
//
// LMDB trusts its file: a damaged meta page makes it divide by zero or map what is not there. So
// they are checked here before LMDB sees them. The format is that of LMDB 0.9, data version 1,
// 64-bit, little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::kv {

constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::size_t kPageHeaderBytes = 16;
constexpr std::size_t kTreeBytes = 48;

// A B-tree as MDB_db describes it.
struct TreeRoot {
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;  // 0: no pages
  std::uint64_t root = kNoPage;
};

// Of kTreeBytes bytes.
TreeRoot parse_tree(ByteReader& in);

struct MetaPage {
  std::uint32_t page_bytes = 0;
  TreeRoot free_tree;  // transaction id -> the pages that it freed
  TreeRoot main_tree;  // table name -> MDB_db
  std::uint64_t last_page = 0;
  std::uint64_t transaction = 0;
};

// The newer of the two meta pages; nothing for an empty file. `path` is for messages. Code::corrupt
// for a foreign or damaged file, Code::newer_version for another data format.
Result<std::optional<MetaPage>> read_meta(int fd, std::uint64_t file_bytes,
                                          const std::string& path);

}  // namespace weightfs::kv
