// Checked arithmetic for integers that come from a file or from a user.
#pragma once

#include <concepts>
#include <optional>

namespace weightfs {

// a + b, or nothing if it does not fit.
template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) {
  T sum{};
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

// a * b, or nothing if it does not fit.
template <std::integral T>
constexpr std::optional<T> checked_multiply(T a, T b) {
  T product{};
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// Whether [offset, offset + length) lies within [0, limit).
template <std::unsigned_integral T>
constexpr bool range_fits(T offset, T length, T limit) {
  return offset <= limit && length <= limit - offset;
}

}  // namespace weightfs
