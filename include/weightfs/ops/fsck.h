// Checks an unmounted store: every table against every other, and every blob against its content
// id.
//
// What a crash leaves for the next mount to clean up (unlinked open files, recipes under
// construction, unsealed files) is no problem and is counted apart. A repair rebuilds what follows
// from other tables (counts, orders, back references), puts what nothing names into /lost+found,
// and never deletes content: where a record is damaged, whatever only it may refer to is left
// alone.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/ops/progress.h"

namespace weightfs::ops {

struct FsckOptions {
  bool repair = false;
  bool quick = false;            // leave out the blobs' content
  std::size_t worker_count = 0;  // 0: one per core
  ProgressCallback progress;
};

struct FsckProblem {
  std::string message;
  bool is_corrected = false;
};

// A part of a file that can't be read any more.
struct DamagedRange {
  std::string path;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  std::uint64_t blob = 0;
  std::string reason;
};

struct FsckResult {
  std::string store;
  std::uint64_t inodes = 0;
  std::uint64_t names = 0;
  std::uint64_t recipes = 0;
  std::uint64_t blobs = 0;
  std::uint64_t checked_bytes = 0;  // encoded bytes of blobs whose content was checked
  std::uint64_t unsealed_files = 0;
  std::uint64_t pending_cleanups = 0;  // that the next mount does by itself
  std::vector<FsckProblem> problems;
  std::vector<DamagedRange> damaged;

  bool is_clean() const { return problems.empty() && damaged.empty(); }
  // As fsck(8): 0 clean, 1 all corrected, 4 something is left.
  int exit_status() const;
};

// Code::busy: the store is mounted. Code::corrupt: a table can't be opened at all.
Result<FsckResult> check_store(const std::string& path, const FsckOptions& options);

nlohmann::json to_json(const FsckResult& result);

}  // namespace weightfs::ops
