// Importing into, and exporting from, a store that a daemon has open.
//
// Import: the client sends a line for each item, with the content's descriptor where it has one,
// and
// {"flush": true} from time to time. The daemon answers a flush with {"results": [...]}, and tells
// in between how much it has read: {"advance": bytes}. Export: each line is a question, {"find":
// path}, {"list": inode, "cookie": n}, or {"copy": inode} with the target's descriptor; the daemon
// answers {"item"}, {"items", "next"} or {}, or with an error.
#pragma once

#include <functional>
#include <memory>

#include "store_reader.h"
#include "store_writer.h"
#include "weightfs/ops/place.h"

namespace weightfs::ops::transfer {

Result<std::unique_ptr<ImportTarget>> open_remote_target(
    const Place& place, std::function<void(std::uint64_t)> advance);
Result<std::unique_ptr<ExportSource>> open_remote_source(
    const Place& place, std::function<void(std::uint64_t)> advance);

}  // namespace weightfs::ops::transfer
