// Vectors of 64 bytes, of as many registers as the instructions that the including file is compiled
// for make of them, with GCC's vector arithmetic on each. Everything has internal linkage, so that
// each instruction set gets its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weightfs::codec {
namespace {

#if defined(__AVX512BW__)
constexpr std::size_t kRegisterBytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t kRegisterBytes = 32;
#else
constexpr std::size_t kRegisterBytes = 16;
#endif
constexpr std::size_t kRegisters = 64 / kRegisterBytes;

template <class Element>
struct Vector {
  using Word = Element;
  typedef Element Register __attribute__((vector_size(kRegisterBytes)));
  static constexpr std::size_t kPerRegister = kRegisterBytes / sizeof(Element);

  Register of[kRegisters];

  [[gnu::always_inline]] static Vector all(Element value) {
    Vector x;
    for (Register& r : x.of) r = Register{} + value;
    return x;
  }
  [[gnu::always_inline]] static Vector load(const std::byte* source) {
    Vector x;
    for (std::size_t i = 0; i < kRegisters; ++i) {
      std::memcpy(&x.of[i], source + i * kRegisterBytes, kRegisterBytes);
    }
    return x;
  }
  [[gnu::always_inline]] void store(std::byte* target) const {
    for (std::size_t i = 0; i < kRegisters; ++i) {
      std::memcpy(target + i * kRegisterBytes, &of[i], kRegisterBytes);
    }
  }
  // The same bits.
  template <class To>
  [[gnu::always_inline]] Vector<To> as() const {
    Vector<To> x;
    for (std::size_t i = 0; i < kRegisters; ++i) x.of[i] = (typename Vector<To>::Register)of[i];
    return x;
  }
  Element operator[](std::size_t i) const { return of[i / kPerRegister][i % kPerRegister]; }
  void set(std::size_t i, Element value) { of[i / kPerRegister][i % kPerRegister] = value; }

  // Register by register.
  template <class Operation>
  [[gnu::always_inline]] static Vector map(const Vector& a, const Vector& b, Operation operation) {
    Vector x;
    for (std::size_t i = 0; i < kRegisters; ++i) x.of[i] = (Register)operation(a.of[i], b.of[i]);
    return x;
  }

#define WEIGHTFS_VECTOR_OPERATOR(op)                                                         \
  [[gnu::always_inline]] friend Vector operator op(const Vector& a, const Vector& b) {       \
    return map(                                                                              \
        a, b, [](Register x, Register y) __attribute__((always_inline)) { return x op y; }); \
  }                                                                                          \
  [[gnu::always_inline]] friend Vector operator op(const Vector& a, Element b) {             \
    return a op all(b);                                                                      \
  }
  WEIGHTFS_VECTOR_OPERATOR(+)
  WEIGHTFS_VECTOR_OPERATOR(-)
  WEIGHTFS_VECTOR_OPERATOR(&)
  WEIGHTFS_VECTOR_OPERATOR(|)
  WEIGHTFS_VECTOR_OPERATOR(^)
#undef WEIGHTFS_VECTOR_OPERATOR
  [[gnu::always_inline]] Vector operator<<(int count) const {
    return map(
        *this,
        *this, [=](Register x, Register) __attribute__((always_inline)) { return x << count; });
  }
  [[gnu::always_inline]] Vector operator>>(int count) const {
    return map(
        *this,
        *this, [=](Register x, Register) __attribute__((always_inline)) { return x >> count; });
  }
  [[gnu::always_inline]] Vector operator<<(const Vector& counts) const {
    return map(
        *this, counts,
        [](Register x, Register y) __attribute__((always_inline)) { return x << y; });
  }
  [[gnu::always_inline]] Vector operator>>(const Vector& counts) const {
    return map(
        *this, counts,
        [](Register x, Register y) __attribute__((always_inline)) { return x >> y; });
  }
};

template <class Element>
[[gnu::always_inline]] inline Vector<Element> smaller(const Vector<Element>& a, Element limit) {
  return Vector<Element>::map(
      a, Vector<Element>::all(limit),
      [](auto x, auto y) __attribute__((always_inline)) { return x < y ? x : y; });
}
template <class Element>
[[gnu::always_inline]] inline Vector<Element> larger(const Vector<Element>& a, Element limit) {
  return Vector<Element>::map(
      a, Vector<Element>::all(limit),
      [](auto x, auto y) __attribute__((always_inline)) { return x > y ? x : y; });
}
// `a` where `x` is at least the limit, `b` elsewhere.
template <class Element>
[[gnu::always_inline]] inline Vector<Element> where_at_least(const Vector<Element>& x,
                                                             Element limit,
                                                             const Vector<Element>& a,
                                                             const Vector<Element>& b) {
  Vector<Element> chosen;
  const Vector<Element> limits = Vector<Element>::all(limit);
  for (std::size_t i = 0; i < kRegisters; ++i) {
    chosen.of[i] = x.of[i] >= limits.of[i] ? a.of[i] : b.of[i];
  }
  return chosen;
}

using Vector8 = Vector<std::uint8_t>;
using Vector16 = Vector<std::uint16_t>;
using Vector32 = Vector<std::uint32_t>;
using Vector64 = Vector<std::uint64_t>;

}  // namespace
}  // namespace weightfs::codec
