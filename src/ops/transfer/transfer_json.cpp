#include <nlohmann/json.hpp>

#include "weightfs/ops/transfer.h"

namespace weightfs::ops {

nlohmann::json to_json(const TransferResult& result) {
  nlohmann::json value{{"files", result.files},
                       {"skipped", result.skipped},
                       {"others", result.others},
                       {"bytes", result.bytes},
                       {"stored_bytes", result.stored_bytes},
                       {"errors", nlohmann::json::array()}};
  for (const TransferError& error : result.errors) {
    value["errors"].push_back({{"path", error.path}, {"error", error.message}});
  }
  return value;
}

}  // namespace weightfs::ops
