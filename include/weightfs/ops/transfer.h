// Bulk copies between a directory of the machine and a store, past FUSE.
//
// Metadata is copied exactly: mode, owner (when root), times to the nanosecond, extended
// attributes, symbolic and hard links, fifos, sockets and (when root) devices; holes stay holes.
// Both directions can be broken off and run again: a file that is there with the same size and
// modification time is passed over, and each file appears whole or not at all. An unmounted store
// is opened; a mounted one is reached through its daemon, which gets open descriptors over the
// control socket.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weightfs/base/fd.h"
#include "weightfs/base/result.h"
#include "weightfs/ops/progress.h"

namespace weightfs::fs {
class Filesystem;
}

namespace weightfs::ops {

struct TransferError {
  std::string path;
  std::string message;
};

struct TransferResult {
  std::uint64_t files = 0;            // regular files that were copied
  std::uint64_t skipped = 0;          // that were there already
  std::uint64_t others = 0;           // directories, links and special files
  std::uint64_t bytes = 0;            // content of the files that were copied
  std::uint64_t stored_bytes = 0;     // what they added to the store (imports)
  std::vector<TransferError> errors;  // what could not be copied; the rest was
};

struct ImportOptions {
  // A directory goes into the target under its own name; with a slash behind it, only what it
  // holds.
  std::vector<std::string> sources;
  std::string
      target;  // STORE, a path in a mount, or either with ":/PATH" behind it; made if missing
  ProgressCallback progress;
};
// Fails as a whole where the target can't be opened; otherwise see TransferResult::errors.
Result<TransferResult> import_files(const ImportOptions& options);

struct ExportOptions {
  std::string source;  // as above: a directory with a slash behind it means what it holds
  // Directories go into it, and it is made if missing; a single file gets this name, or goes into
  // it where it is a directory.
  std::string destination;
  ProgressCallback progress;
};
// Stops early, with an error in the result, when the destination is full.
Result<TransferResult> export_files(const ExportOptions& options);

// The daemon's side: talk over descriptors[0] until the other end closes it.
Result<nlohmann::json> serve_import(fs::Filesystem& filesystem,
                                    const std::vector<UniqueFd>& descriptors);
Result<nlohmann::json> serve_export(fs::Filesystem& filesystem,
                                    const std::vector<UniqueFd>& descriptors);

nlohmann::json to_json(const TransferResult& result);

}  // namespace weightfs::ops
