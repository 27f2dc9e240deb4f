// The one place where the closed set of codes becomes errno.
#pragma once

#include "weightfs/base/result.h"

namespace weightfs::mount {

// The errno that a program sees for `code`. Never ENOSYS: the kernel takes that for "never ask
// again".
int errno_of(Code code);

}  // namespace weightfs::mount
