#include "../json.h"
#include "weightfs/ops/fsck.h"

namespace weightfs::ops {

using nlohmann::json;

json to_json(const FsckResult& result) {
  json value{{"store", result.store},
             {"clean", result.is_clean()},
             {"exit_status", result.exit_status()},
             {"inodes", result.inodes},
             {"names", result.names},
             {"recipes", result.recipes},
             {"blobs", result.blobs},
             {"checked_bytes", result.checked_bytes},
             {"unsealed_files", result.unsealed_files},
             {"pending_cleanups", result.pending_cleanups},
             {"problems", json::array()},
             {"damaged", json::array()}};
  for (const FsckProblem& problem : result.problems) {
    value["problems"].push_back(
        {{"message", problem.message}, {"corrected", problem.is_corrected}});
  }
  for (const DamagedRange& range : result.damaged) {
    value["damaged"].push_back({{"path", range.path},
                                {"offset", range.offset_bytes},
                                {"bytes", range.length_bytes},
                                {"blob", range.blob},
                                {"reason", range.reason}});
  }
  return value;
}

}  // namespace weightfs::ops
