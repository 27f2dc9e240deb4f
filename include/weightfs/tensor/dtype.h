// Element types of tensors, and of the quantized blocks that GGUF and its kin store.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weightfs {

// Persisted in recipes' layouts: numbers are never changed or reused.
enum class Dtype : std::uint8_t {
  opaque = 0,  // bytes of no known type
  f64 = 1,
  f32 = 2,
  f16 = 3,
  bf16 = 4,
  f8_e4m3 = 5,  // float8_e4m3fn
  f8_e5m2 = 6,
  f8_e8m0 = 7,
  f6_e2m3 = 8,
  f6_e3m2 = 9,
  f4 = 10,  // two e2m1 to a byte
  i64 = 11,
  i32 = 12,
  i16 = 13,
  i8 = 14,
  i4 = 15,  // two to a byte
  u64 = 16,
  u32 = 17,
  u16 = 18,
  u8 = 19,
  u4 = 20,
  boolean = 21,  // one byte each
  c64 = 22,      // pairs of f32
  c128 = 23,     // pairs of f64
  u2 = 24,
  u1 = 25,
  f8_e4m3fnuz = 26,
  f8_e5m2fnuz = 27,
  qint8 = 28,
  quint8 = 29,
  qint32 = 30,
  i2 = 31,
  string = 32,  // variable length
  // What floats of two or four bytes look like where no format says so (format/guess).
  guessed_16 = 40,
  guessed_32 = 41,
  // ggml's block types; a unit is a block of several values (ggml-common.h, gguf specification).
  q4_0 = 64,
  q4_1 = 65,
  q4_2 = 66,  // ggml before GGUF
  q4_3 = 67,  // ggml before GGUF
  q5_0 = 68,
  q5_1 = 69,
  q8_0 = 70,
  q8_1 = 71,
  q2_k = 72,
  q3_k = 73,
  q4_k = 74,
  q5_k = 75,
  q6_k = 76,
  q8_k = 77,
  iq2_xxs = 78,
  iq2_xs = 79,
  iq3_xxs = 80,
  iq1_s = 81,
  iq4_nl = 82,
  iq3_s = 83,
  iq2_s = 84,
  iq4_xs = 85,
  iq1_m = 86,
  tq1_0 = 87,
  tq2_0 = 88,
  mxfp4 = 89,
  nvfp4 = 90,
  q1_0 = 91,
};

// How a dtype lies in memory: `unit_bytes` bytes hold `unit_elements` elements, and nothing smaller
// than a unit can be read alone. f32 is {1, 4}, i4 {2, 1}, q4_0 {32, 18}.
struct DtypeLayout {
  std::uint32_t unit_elements;
  std::uint32_t unit_bytes;
};

DtypeLayout dtype_layout(Dtype dtype);
// "F32", "BF16", "Q4_K", ...: the names that INDEX.tsv, safetensors and GGUF use.
std::string_view dtype_name(Dtype dtype);
std::optional<Dtype> dtype_from_name(std::string_view name);
// Whether a number is a dtype that this version knows.
bool is_known_dtype(std::uint8_t number);
// A float of 8, 16, 32 or 64 bits that the float codecs code by its exponent.
bool is_float(Dtype dtype);
// The bytes of `element_count` elements, rounded up to whole units; nothing when it does not fit.
std::optional<std::uint64_t> dtype_bytes(Dtype dtype, std::uint64_t element_count);

}  // namespace weightfs
