// The content index against the records, both ways. Private to store/.
#pragma once

#include <functional>
#include <string>

#include "blob_tables.h"

namespace weightfs::store {

// BlobStore::check_index() for the LMDB store: looks first, and then, with `repair`, mends what it
// found in bounded transactions. Memory grows with the number of faults.
Status check_blob_index(kv::Environment& environment, const BlobTables& tables, bool repair,
                        const std::function<void(const std::string&)>& complain);

}  // namespace weightfs::store
