// How units of integers or of quantized blocks fall apart into columns of bytes of one kind.
#pragma once

#include <cstdint>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::codec {

// Persisted in streams as it is.
enum class ColumnKind : std::uint8_t {
  // Bytes of which so many low bits (0 to 7) are a plane of their own: what is left is coded
  // better.
  bytes = 0,
  nibbles = 8,  // two values of four bits to a byte, the low ones first
};

// A run of bytes of each unit.
struct Column {
  std::uint32_t bytes = 1;
  ColumnKind kind = ColumnKind::bytes;
  std::uint8_t low_bits = 0;  // of kind bytes
  bool is_random = false;     // by the sample; not persisted
};

struct IntsPlan {
  std::uint32_t unit_bytes = 1;
  std::vector<Column> columns;  // in order, adding up to unit_bytes
};

// The columns of a dtype's unit: each byte of an integer, scales and quants of ggml's blocks
// (ggml_columns.h). For opaque bytes and others the stride, of 1 to 8, whose columns a sample
// finds most alike.
IntsPlan plan_of_dtype(Dtype dtype, ByteSpan raw);

// Sets the columns' low bits by a sample of `raw`, and returns how many bytes the block will take,
// about.
double fit_plan(ByteSpan raw, IntsPlan& plan);

}  // namespace weightfs::codec
