// Walks the B-trees of LMDB's data file before LMDB does, and trusts nothing. Private to kv/.
//
// LMDB follows page numbers, offsets and sizes without a look: a flipped bit in a tree page makes
// it read or write anywhere. After a walk over all pages it stays within its file. What a walk does
// not see are bits of keys and values: those have checksums of their own, above.
#pragma once

#include <cstdint>

#include "meta_page.h"

namespace weightfs::kv {

constexpr std::uint64_t kEveryPage = ~std::uint64_t{0};

struct PageWalkOptions {
  // Pages of trees to look at; the walk ends well when it has seen as many.
  std::uint64_t max_page_count = kEveryPage;
  // Look also at the header of each value that has pages of its own: a read for each.
  bool looks_at_values = false;
};

// How many pages of its own a value has; 0 where it lies in its key's page.
std::uint64_t pages_of_value(std::size_t key_bytes, std::size_t value_bytes,
                             std::uint64_t page_bytes);
// Whether the header of the first page of a value with `page_count` pages, as LMDB returned it, is
// what frees exactly these.
bool can_free_value(ByteSpan value, std::uint64_t page_count);

// Code::corrupt for a tree that is not one, for a page that two things use, or that is both used
// and free, and for a used page past the end of a file of `file_bytes`.
Status walk_pages(int fd, std::uint64_t file_bytes, const MetaPage& meta,
                  const PageWalkOptions& options);

}  // namespace weightfs::kv
