#include "weightfs/ops/tensor_statistics.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <vector>

#include "tensor_values.h"
#include "weightfs/base/checked.h"
#include "weightfs/base/parallel.h"

namespace weightfs::ops {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;  // of whole numbers of every size

// Statistics of a part of the values, which can be joined to another part's (Chan, Golub and
// LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
class Accumulator {
 public:
  explicit Accumulator(unsigned exponent_bits)
      : exponents_(exponent_bits == 0 ? 0 : std::size_t{1} << exponent_bits) {}

  void add(double value) {
    ++result_.count;
    if (std::isnan(value)) {
      ++result_.nans;
    } else if (std::isinf(value)) {
      ++result_.infinities;
    } else {
      add_finite(value);
    }
  }
  void add_exponent(std::uint64_t exponent) { ++exponents_[static_cast<std::size_t>(exponent)]; }

  void join(const Accumulator& other) {
    result_.count += other.result_.count;
    result_.zeros += other.result_.zeros;
    result_.nans += other.result_.nans;
    result_.infinities += other.result_.infinities;
    for (std::size_t i = 0; i < exponents_.size(); ++i) exponents_[i] += other.exponents_[i];
    if (other.finite_ > 0) join_moments(other);
  }

  TensorStatistics finish() {
    TensorStatistics result = result_;
    if (finite_ > 0) result.standard_deviation = std::sqrt(squares_ / static_cast<double>(finite_));
    if (!exponents_.empty()) result.exponent_entropy_bits = entropy();
    return result;
  }

 private:
  void add_finite(double value) {
    ++finite_;
    if (value == 0) ++result_.zeros;
    const double delta = value - result_.mean;
    result_.mean += delta / static_cast<double>(finite_);
    squares_ += delta * (value - result_.mean);
    result_.minimum = finite_ == 1 ? value : std::min(result_.minimum, value);
    result_.maximum = finite_ == 1 ? value : std::max(result_.maximum, value);
  }

  void join_moments(const Accumulator& other) {
    const auto own_count = static_cast<double>(finite_);
    const auto other_count = static_cast<double>(other.finite_);
    const double delta = other.result_.mean - result_.mean;
    const double total = own_count + other_count;
    result_.minimum =
        finite_ == 0 ? other.result_.minimum : std::min(result_.minimum, other.result_.minimum);
    result_.maximum =
        finite_ == 0 ? other.result_.maximum : std::max(result_.maximum, other.result_.maximum);
    result_.mean += delta * other_count / total;
    squares_ += other.squares_ + delta * delta * own_count * other_count / total;
    finite_ += other.finite_;
  }

  double entropy() const {
    double bits = 0;
    for (const std::uint64_t count : exponents_) {
      if (count == 0) continue;
      const double share = static_cast<double>(count) / static_cast<double>(result_.count);
      bits -= share * std::log2(share);
    }
    return bits;
  }

  TensorStatistics result_;
  std::uint64_t finite_ = 0;
  double squares_ = 0;  // of the distances from the mean
  std::vector<std::uint64_t> exponents_;
};

void add_piece(const Tensor& tensor, ByteSpan bytes, Accumulator& accumulator) {
  const bool big_endian = is_big_endian(tensor);
  thread_local std::vector<double> numbers;
  decode_numbers(tensor.dtype, big_endian, bytes, numbers);
  for (const double number : numbers) accumulator.add(number);
  const ExponentField field = exponent_field(tensor.dtype);
  if (field.width == 0) return;
  const std::size_t size = number_bytes(tensor.dtype);
  const std::uint64_t mask = (std::uint64_t{1} << field.width) - 1;
  for (std::size_t i = 0; i < bytes.size(); i += size) {
    accumulator.add_exponent((number_bits(bytes.data() + i, size, big_endian) >> field.shift) &
                             mask);
  }
}

std::optional<std::uint64_t> dense_bytes(const Tensor& tensor) {
  std::optional<std::uint64_t> count = 1;
  for (const std::uint64_t dimension : tensor.shape) {
    count = checked_multiply(*count, dimension);
    if (!count) return std::nullopt;
  }
  return dtype_bytes(tensor.dtype, *count);
}

}  // namespace

bool has_readable_values(const Tensor& tensor, const char** why) {
  const char* reason = nullptr;
  if (tensor.length_bytes == 0) {
    reason = "no bytes in this file";
  } else if (!is_decodable(tensor.dtype)) {
    reason = "not plain numbers";
  } else if (dense_bytes(tensor) != tensor.length_bytes) {
    reason = "not dense";
  }
  if (why) *why = reason;
  return reason == nullptr;
}

Result<TensorStatistics> tensor_statistics(const ByteSource& source, const Tensor& tensor,
                                           WorkerPool& workers,
                                           const std::function<void(std::uint64_t)>& advance) {
  const auto piece_count =
      static_cast<std::size_t>((tensor.length_bytes + kPieceBytes - 1) / kPieceBytes);
  Accumulator total(exponent_field(tensor.dtype).width);
  Status outcome;
  std::mutex mutex;  // protects total and outcome
  parallel_for(workers, piece_count, [&](std::size_t i) {
    const std::uint64_t begin = i * kPieceBytes;
    thread_local ByteVector piece;
    piece.resize(static_cast<std::size_t>(std::min(kPieceBytes, tensor.length_bytes - begin)));
    Accumulator part(exponent_field(tensor.dtype).width);
    const Status read = source.read_at(tensor.offset_bytes + begin, piece);
    if (read) add_piece(tensor, piece, part);
    if (advance) advance(piece.size());
    const std::lock_guard guard(mutex);
    if (!read) outcome = read;
    total.join(part);
  });
  WEIGHTFS_TRY(std::move(outcome));
  return total.finish();
}

}  // namespace weightfs::ops
