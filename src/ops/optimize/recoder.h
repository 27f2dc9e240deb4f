// One blob: decoded, coded anew, and checked.
#pragma once

#include <optional>

#include "weightfs/codec/codec.h"
#include "weightfs/store/blob_store.h"

namespace weightfs::ops {

struct RecodedBlob {
  store::BlobRecord before;
  store::BlobRecord after;
  ByteVector encoded;
};

// Thread-safe. Past the block cache: a reader must not wait for a thread that runs when nothing
// else does, nor lose what it will read next.
class Recoder {
 public:
  struct Options {
    codec::Tier tier = codec::Tier::cold;
    bool portable = false;
  };
  // `blobs` must outlive it.
  Recoder(const store::BlobStore& blobs, const Options& options)
      : blobs_(blobs), options_(options) {}

  // Nothing where the blob is best left as it is. Code::corrupt: it, or its base, is broken.
  // Code::not_found: it, or its base, was erased meanwhile.
  Result<std::optional<RecodedBlob>> recode(store::BlobId id, Dtype dtype) const;

 private:
  const store::BlobStore& blobs_;
  const Options options_;
};

}  // namespace weightfs::ops
