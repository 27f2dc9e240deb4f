// JSON as a boundary: nlohmann's exceptions end here.
#pragma once

#include <nlohmann/json.hpp>

#include "weightfs/base/result.h"
#include "weightfs/ops/report.h"

namespace weightfs::ops {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CodecUse, codec, blobs, raw_bytes, encoded_bytes)

// The value of `json` as a T, for which from_json() is defined.
template <class T>
Result<T> value_from_json(const nlohmann::json& json) {
  try {
    return json.get<T>();
  } catch (const nlohmann::json::exception& exception) {
    return fail(Code::invalid, std::string("an unexpected answer: ") + exception.what());
  }
}

}  // namespace weightfs::ops
