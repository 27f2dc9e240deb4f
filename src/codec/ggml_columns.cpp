#include "ggml_columns.h"

namespace weightfs::codec {
namespace {

constexpr Column kByte = {.bytes = 1};

constexpr Column bytes(std::uint32_t count) {
  return {.bytes = count};
}
constexpr Column nibbles(std::uint32_t count) {
  return {.bytes = count, .kind = ColumnKind::nibbles};
}

// A scale (or minimum) in fp16: its bytes are of different kinds.
constexpr Column kScale[] = {kByte, kByte};

std::vector<Column> after_scales(unsigned scales, std::initializer_list<Column> rest) {
  std::vector<Column> columns;
  for (unsigned i = 0; i < scales; ++i) {
    columns.insert(columns.end(), std::begin(kScale), std::end(kScale));
  }
  columns.insert(columns.end(), rest);
  return columns;
}

std::vector<Column> before_scales(std::initializer_list<Column> first, unsigned scales) {
  std::vector<Column> columns = first;
  const std::vector<Column> last = after_scales(scales, {});
  columns.insert(columns.end(), last.begin(), last.end());
  return columns;
}

}  // namespace

std::vector<Column> ggml_columns(Dtype dtype) {
  switch (dtype) {
    case Dtype::q4_0:
    case Dtype::iq4_nl:
      return after_scales(1, {nibbles(16)});
    case Dtype::q4_1:
      return after_scales(2, {nibbles(16)});
    case Dtype::q5_0:  // the fifth bits of 32 quants, then the lower four
      return after_scales(1, {bytes(4), nibbles(16)});
    case Dtype::q5_1:
      return after_scales(2, {bytes(4), nibbles(16)});
    case Dtype::q8_0:
      return after_scales(1, {bytes(32)});
    case Dtype::q8_1:
      return after_scales(2, {bytes(32)});
    case Dtype::q2_k:  // 16 scales and minima of four bits, quants of two bits
      return before_scales({nibbles(16), nibbles(64)}, 2);
    case Dtype::q3_k:  // third bits, lower two bits, scales of six bits
      return before_scales({bytes(32), nibbles(64), bytes(12)}, 1);
    case Dtype::q4_k:
      return after_scales(2, {bytes(12), nibbles(128)});
    case Dtype::q5_k:
      return after_scales(2, {bytes(12), bytes(32), nibbles(128)});
    case Dtype::q6_k:  // lower four bits, upper two, scales of eight
      return before_scales({nibbles(128), nibbles(64), bytes(16)}, 1);
    case Dtype::mxfp4:  // an exponent, then quants
      return {kByte, nibbles(16)};
    default:
      return {};
  }
}

}  // namespace weightfs::codec
