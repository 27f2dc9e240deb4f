// Coding a store's blobs anew, for less space: what was written with a faster tier, or by an older
// weightfs.
//
// Blobs are taken in the order of their ids. One is replaced only where the new encoding is smaller
// by a hundredth or more, and only after it was decoded and compared: nothing gets larger, nothing
// less durable, and a crash leaves each blob in its old or its new encoding. A delta keeps its
// base. How far a run came is kept in the store for each tier (docs/store-format.md), so that the
// next one goes on there; blobs that come later have greater ids.
//
// The encoding threads run only when nothing else wants the processor (base/priority.h) and touch
// neither the block cache nor a lock that readers wait for; the thread that calls writes, at its
// own priority, since others wait for a write transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "weightfs/base/result.h"
#include "weightfs/codec/codec.h"
#include "weightfs/ops/progress.h"

namespace weightfs::fs {
class Filesystem;
}

namespace weightfs::ops {

struct OptimizeOptions {
  codec::Tier tier = codec::Tier::cold;
  bool portable = false;         // only codecs that are fast on every processor
  bool dry_run = false;          // encode, and only count
  bool restart = false;          // from the first blob, whatever was done before
  std::size_t worker_count = 0;  // 0: one per core
  bool only_when_idle = true;    // the encoding threads; not for a store that nobody else uses
  ProgressCallback progress;     // stored_bytes is what the bytes that are done take now
  // Asked often, from several threads; true stops at the next blob. May be empty.
  std::function<bool()> cancelled;
};

struct Optimization {
  std::string store;
  std::string tier;
  std::uint64_t blobs = 0;  // looked at
  std::uint64_t recoded_blobs = 0;
  std::uint64_t broken_blobs = 0;   // can't be decoded, and stay as they are: fsck names them
  std::uint64_t encoded_bytes = 0;  // of the blobs looked at, before
  std::uint64_t saved_bytes = 0;
  bool dry_run = false;  // nothing was replaced
  bool stopped = false;  // cancelled before the last blob
};

// Code::invalid for the fast tier, Code::read_only, Code::no_space and what else a write meets;
// what was replaced until then stays replaced, and the next run goes on behind it.
Result<Optimization> optimize(fs::Filesystem& filesystem, const OptimizeOptions& options);
// In the daemon, if the store is mounted, with half of the cores at most. A dry run opens an
// unmounted store for reading only.
Result<Optimization> optimize_store(const std::string& path, const OptimizeOptions& options);
// The daemon's side of it, from the request's JSON.
Result<nlohmann::json> serve_optimize(fs::Filesystem& filesystem, const nlohmann::json& request,
                                      const std::function<void(const nlohmann::json&)>& progress,
                                      const std::function<bool()>& cancelled);

nlohmann::json to_json(const Optimization& optimization);
Result<Optimization> optimization_from_json(const nlohmann::json& json);

}  // namespace weightfs::ops
