#include "value_distance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "tensor_values.h"
#include "weightfs/base/parallel.h"

namespace weightfs::ops {
namespace {

constexpr std::uint64_t kPieceNumbers = std::uint64_t{128} << 10;

// Sums over a part of the values.
struct Sums {
  std::uint64_t values = 0;
  std::uint64_t changed = 0;
  double squares_a = 0;
  double squares_b = 0;
  double products = 0;
  double squared_distance = 0;
  std::uint64_t largest_step = 0;

  void join(const Sums& other) {
    values += other.values;
    changed += other.changed;
    squares_a += other.squares_a;
    squares_b += other.squares_b;
    products += other.products;
    squared_distance += other.squared_distance;
    largest_step = std::max(largest_step, other.largest_step);
  }
};

void add_pair(double a, double b, Sums& sums) {
  ++sums.values;
  const bool same = a == b || (std::isnan(a) && std::isnan(b));
  if (!same) ++sums.changed;
  if (!std::isfinite(a) || !std::isfinite(b)) return;
  sums.squares_a += a * a;
  sums.squares_b += b * b;
  sums.products += a * b;
  sums.squared_distance += (b - a) * (b - a);
}

// The place of a float among all floats of its format: neighbours differ by one, both zeros are 0.
std::int64_t ordinal(std::uint64_t bits, unsigned sign_shift) {
  const std::uint64_t magnitude = bits & ((std::uint64_t{1} << sign_shift) - 1);
  const bool negative = ((bits >> sign_shift) & 1U) != 0;
  return negative ? -static_cast<std::int64_t>(magnitude) : static_cast<std::int64_t>(magnitude);
}

struct Operand {
  Dtype dtype;
  bool big_endian;
  ByteVector bytes;
  std::vector<double> numbers;

  std::uint64_t bits(std::size_t i) const {
    const std::size_t size = number_bytes(dtype);
    return number_bits(bytes.data() + i * size, size, big_endian);
  }
};

Status read_operand(const TensorBytes& from, std::uint64_t first, std::uint64_t count,
                    Operand& operand) {
  const std::uint64_t size = number_bytes(from.tensor.dtype);
  operand.dtype = from.tensor.dtype;
  operand.big_endian = is_big_endian(from.tensor);
  operand.bytes.resize(static_cast<std::size_t>(count * size));
  WEIGHTFS_TRY(from.source.read_at(from.tensor.offset_bytes + first * size, operand.bytes));
  decode_numbers(operand.dtype, operand.big_endian, operand.bytes, operand.numbers);
  return {};
}

void add_steps(const Operand& a, const Operand& b, Sums& sums) {
  const auto sign_shift = static_cast<unsigned>(number_bytes(a.dtype) * 8 - 1);
  for (std::size_t i = 0; i < a.numbers.size(); ++i) {
    if (!std::isfinite(a.numbers[i]) || !std::isfinite(b.numbers[i])) continue;
    const std::int64_t from = ordinal(a.bits(i), sign_shift);
    const std::int64_t to = ordinal(b.bits(i), sign_shift);
    const std::uint64_t step =
        from > to ? static_cast<std::uint64_t>(from) - static_cast<std::uint64_t>(to)
                  : static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    sums.largest_step = std::max(sums.largest_step, step);
  }
}

Status add_piece(const TensorBytes& a, const TensorBytes& b, std::uint64_t first,
                 std::uint64_t count, Sums& sums) {
  thread_local Operand left;
  thread_local Operand right;
  WEIGHTFS_TRY(read_operand(a, first, count, left));
  WEIGHTFS_TRY(read_operand(b, first, count, right));
  for (std::size_t i = 0; i < left.numbers.size(); ++i) {
    add_pair(left.numbers[i], right.numbers[i], sums);
  }
  if (left.dtype == right.dtype && is_float(left.dtype)) add_steps(left, right, sums);
  return {};
}

ValueDistance distance_of(const Sums& sums, bool has_steps) {
  ValueDistance distance;
  distance.values = sums.values;
  distance.changed_values = sums.changed;
  if (sums.squared_distance > 0) {
    distance.relative_rms = std::sqrt(sums.squared_distance / sums.squares_a);
  }
  const double norms = std::sqrt(sums.squares_a) * std::sqrt(sums.squares_b);
  if (norms > 0)
    distance.cosine = std::clamp(sums.products / norms, -1.0, 1.0);
  else if (sums.squares_a != sums.squares_b)
    distance.cosine = 0;
  if (has_steps) distance.largest_ulp_step = sums.largest_step;
  return distance;
}

}  // namespace

Result<ValueDistance> value_distance(const TensorBytes& a, const TensorBytes& b,
                                     WorkerPool& workers,
                                     const std::function<void(std::uint64_t)>& advance) {
  const std::uint64_t count = a.tensor.length_bytes / number_bytes(a.tensor.dtype);
  const auto piece_count = static_cast<std::size_t>((count + kPieceNumbers - 1) / kPieceNumbers);
  Sums total;
  Status outcome;
  std::mutex mutex;  // protects total and outcome
  parallel_for(workers, piece_count, [&](std::size_t i) {
    const std::uint64_t first = i * kPieceNumbers;
    const std::uint64_t length = std::min(kPieceNumbers, count - first);
    Sums part;
    Status added = add_piece(a, b, first, length, part);
    if (advance) advance(length * number_bytes(b.tensor.dtype));
    const std::lock_guard guard(mutex);
    if (!added) outcome = std::move(added);
    total.join(part);
  });
  WEIGHTFS_TRY(std::move(outcome));
  return distance_of(total, a.tensor.dtype == b.tensor.dtype && is_float(a.tensor.dtype));
}

Result<std::uint64_t> changed_blocks(const TensorBytes& a, const TensorBytes& b,
                                     WorkerPool& workers,
                                     const std::function<void(std::uint64_t)>& advance) {
  const std::uint64_t length = a.tensor.length_bytes;
  const auto block_count =
      static_cast<std::size_t>((length + kDiffBlockBytes - 1) / kDiffBlockBytes);
  std::uint64_t changed = 0;
  Status outcome;
  std::mutex mutex;  // protects changed and outcome
  parallel_for(workers, block_count, [&](std::size_t i) {
    const std::uint64_t begin = i * kDiffBlockBytes;
    thread_local ByteVector left;
    thread_local ByteVector right;
    left.resize(static_cast<std::size_t>(std::min(kDiffBlockBytes, length - begin)));
    right.resize(left.size());
    Status read = a.source.read_at(a.tensor.offset_bytes + begin, left);
    if (read) read = b.source.read_at(b.tensor.offset_bytes + begin, right);
    if (advance) advance(right.size());
    const std::lock_guard guard(mutex);
    if (!read) outcome = std::move(read);
    if (left != right) ++changed;
  });
  WEIGHTFS_TRY(std::move(outcome));
  return changed;
}

}  // namespace weightfs::ops
