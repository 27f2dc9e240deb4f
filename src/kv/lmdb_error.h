// LMDB's return codes as errors.
#pragma once

#include <string_view>

#include "weightfs/base/result.h"

namespace weightfs::kv {

// The error of a return code other than MDB_SUCCESS; `what` names the call and its object.
Error lmdb_error(int code, std::string_view what);
inline tl::unexpected<Error> fail_lmdb(int code, std::string_view what) {
  return tl::unexpected(lmdb_error(code, what));
}

}  // namespace weightfs::kv
