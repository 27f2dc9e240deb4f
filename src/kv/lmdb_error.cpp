#include "lmdb_error.h"

#include <fmt/format.h>
#include <lmdb.h>

namespace weightfs::kv {
namespace {

struct Meaning {
  Code code;
  std::string_view advice;
};

constexpr std::string_view kDamaged =
    "the database is damaged: run 'weightfs fsck', or restore the store from a copy";

Meaning meaning_of(int code) {
  switch (code) {
    case MDB_NOTFOUND:
      return {Code::not_found, ""};
    case MDB_KEYEXIST:
      return {Code::exists, ""};
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_BAD_DBI:
    case MDB_INCOMPATIBLE:
      return {Code::corrupt, kDamaged};
    case MDB_INVALID:
      return {Code::corrupt, "data.mdb is not a database of weightfs"};
    case MDB_VERSION_MISMATCH:
      return {Code::newer_version, "data.mdb was written by another version of LMDB"};
    case MDB_PANIC:
      return {Code::io,
              "a write failed at a point from which only reopening recovers: mount again"};
    case MDB_MAP_FULL:
      return {Code::no_space, "the address space that was reserved is full"};
    case MDB_TXN_FULL:
      return {Code::no_space, "too many changes in one transaction"};
    case MDB_READERS_FULL:
      return {Code::busy, "too many readers at once"};
    case MDB_BAD_VALSIZE:
      return {Code::invalid, "a key is 1 to 511 bytes long"};
    default:
      return {Code::io, ""};
  }
}

}  // namespace

Error lmdb_error(int code, std::string_view what) {
  if (code > 0) return system_error(code, what);
  const Meaning meaning = meaning_of(code);
  std::string message = fmt::format("{}: {}", what, mdb_strerror(code));
  if (!meaning.advice.empty()) message += fmt::format(" ({})", meaning.advice);
  return Error{meaning.code, std::move(message)};
}

}  // namespace weightfs::kv
