// What a store holds, and what deduplication and compression saved.
//
// make_report() runs where the store is open: in the daemon, or in a command on an unmounted store.
// store_report() finds out which. A Report is a plain value with a JSON form, which is also how it
// travels over the control socket.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weightfs/base/result.h"

namespace weightfs::fs {
class Filesystem;
}

namespace weightfs::ops {

// Distinct blobs that one codec holds; a delta counts for its own codec, not for its base's.
struct CodecUse {
  std::string codec;
  std::uint64_t blobs = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t encoded_bytes = 0;
  std::uint64_t saved_bytes() const {
    return raw_bytes > encoded_bytes ? raw_bytes - encoded_bytes : 0;
  }
};

struct Saving {
  std::string path;
  std::uint64_t logical_bytes = 0;
  std::uint64_t stored_bytes = 0;  // what the file's own seal added to the store
};

// logical = unsealed + zero + dedup_saved + unique, and unique = stored + compression_saved, as far
// as every live blob belongs to a file that has a name.
struct Report {
  std::string store;
  std::uint64_t files = 0;  // regular files, each once however many names it has
  std::uint64_t logical_bytes = 0;
  std::uint64_t unique_bytes = 0;  // raw bytes of the distinct blobs that are referred to
  std::uint64_t stored_bytes = 0;  // the same, encoded
  std::uint64_t zero_bytes = 0;    // holes and blocks of zeros, which take no space
  std::uint64_t dedup_saved_bytes = 0;
  std::uint64_t compression_saved_bytes = 0;
  std::uint64_t unsealed_files = 0;
  std::uint64_t unsealed_bytes = 0;  // written, and not yet deduplicated and encoded
  std::uint64_t metadata_file_bytes = 0;
  std::uint64_t blob_file_bytes = 0;
  std::uint64_t blob_free_bytes = 0;    // of blob_file_bytes, what later writes reuse
  std::vector<CodecUse> codecs;         // by encoded bytes, largest first
  std::vector<Saving> largest_savings;  // at most ten

  // (stored + unsealed) / logical bytes: 0.6 means that 60 % of the space is taken. 1 when empty.
  double ratio() const;
};

Result<Report> make_report(fs::Filesystem& filesystem);
// The report of the store that `path` (a store, or anything in a mount) leads to: from its daemon
// if it is mounted, otherwise from the store itself, which is opened for reading only.
Result<Report> store_report(const std::string& path);

nlohmann::json to_json(const Report& report);
// Code::invalid where a member is missing or of another type.
Result<Report> report_from_json(const nlohmann::json& json);

}  // namespace weightfs::ops
