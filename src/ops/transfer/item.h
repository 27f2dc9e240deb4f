// One thing on its way into or out of a store.
#pragma once

#include <cstdint>
#include <ctime>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "weightfs/base/result.h"

namespace weightfs::ops::transfer {

// Everything about a file but its content.
struct Item {
  std::string path;         // in the store: "/a/b"; a bare name in listings
  std::uint64_t inode = 0;  // where it comes from a store
  std::uint32_t mode = 0;   // type and permissions
  std::uint32_t link_count = 1;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t device = 0;  // st_rdev
  std::uint64_t size_bytes = 0;
  timespec atime{};
  timespec mtime{};
  std::string symlink_target;
  std::string hard_link_to;  // a path in the store that was made before; empty for first names
  // Of a directory that exists: set its metadata now that all is in it.
  bool is_finish = false;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

enum class Outcome { copied, skipped, failed };

struct ItemResult {
  std::uint64_t number = 0;  // which item, counted from 0 over the session
  Outcome outcome = Outcome::copied;
  std::uint64_t stored_bytes = 0;
  std::string error;
};

// The JSON forms that travel between a command and the daemon. Bytes that are not printable ASCII
// are written as %XX, since names hold any bytes and JSON only UTF-8.
nlohmann::json to_json(const Item& item);
Result<Item> item_from_json(const nlohmann::json& json);
nlohmann::json to_json(const ItemResult& result);
Result<ItemResult> item_result_from_json(const nlohmann::json& json);
std::string armored(const std::string& bytes);
std::string unarmored(const std::string& text);

bool same_time(const timespec& a, const timespec& b);

}  // namespace weightfs::ops::transfer
