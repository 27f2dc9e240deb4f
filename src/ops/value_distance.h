// How far the values of one tensor are from another's.
#pragma once

#include "weightfs/base/source.h"
#include "weightfs/base/worker_pool.h"
#include "weightfs/ops/diff.h"

namespace weightfs::ops {

struct TensorBytes {
  const ByteSource& source;
  const Tensor& tensor;
};

// Both tensors have readable values, as many of one as of the other; dtypes may differ.
Result<ValueDistance> value_distance(const TensorBytes& a, const TensorBytes& b,
                                     WorkerPool& workers,
                                     const std::function<void(std::uint64_t)>& advance);

// Pieces of 256 KiB that differ between two runs of as many bytes.
Result<std::uint64_t> changed_blocks(const TensorBytes& a, const TensorBytes& b,
                                     WorkerPool& workers,
                                     const std::function<void(std::uint64_t)>& advance);
constexpr std::uint64_t kDiffBlockBytes = std::uint64_t{256} << 10;

}  // namespace weightfs::ops
