// What the values of a tensor look like. One pass, in parallel, over any random-access source.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "weightfs/base/source.h"
#include "weightfs/base/worker_pool.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::ops {

// Mean, deviation and extremes are over the finite values only; without any they are 0.
struct TensorStatistics {
  std::uint64_t count = 0;
  std::uint64_t zeros = 0;  // both signs
  std::uint64_t nans = 0;
  std::uint64_t infinities = 0;
  double mean = 0;
  double standard_deviation = 0;  // of the population
  double minimum = 0;
  double maximum = 0;
  // Shannon entropy in bits of the exponent field's empirical distribution; floats only.
  std::optional<double> exponent_entropy_bits;

  double sparsity() const {
    return count == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(count);
  }
};

// Whether the values of this tensor can be read: a dtype that is a number, laid out densely in the
// file. `why`, if given, says why not.
bool has_readable_values(const Tensor& tensor, const char** why = nullptr);

// Of a tensor that has_readable_values(), in `source`, its file. `advance` is told the bytes that
// were read, from several threads. Code::io where they can't be read.
Result<TensorStatistics> tensor_statistics(const ByteSource& source, const Tensor& tensor,
                                           WorkerPool& workers,
                                           const std::function<void(std::uint64_t)>& advance);

}  // namespace weightfs::ops
