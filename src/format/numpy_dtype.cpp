#include "numpy_dtype.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace weightfs::format {
namespace {

using Name = std::pair<std::string_view, Dtype>;

// Kind and size; names that dtype.str, dtype.name and ml_dtypes give.
constexpr std::array kNames = {
    Name{"f2", Dtype::f16},
    Name{"f4", Dtype::f32},
    Name{"f8", Dtype::f64},
    Name{"i1", Dtype::i8},
    Name{"i2", Dtype::i16},
    Name{"i4", Dtype::i32},
    Name{"i8", Dtype::i64},
    Name{"u1", Dtype::u8},
    Name{"u2", Dtype::u16},
    Name{"u4", Dtype::u32},
    Name{"u8", Dtype::u64},
    Name{"b1", Dtype::boolean},
    Name{"c8", Dtype::c64},
    Name{"c16", Dtype::c128},
    Name{"float16", Dtype::f16},
    Name{"float32", Dtype::f32},
    Name{"float64", Dtype::f64},
    Name{"int8", Dtype::i8},
    Name{"int16", Dtype::i16},
    Name{"int32", Dtype::i32},
    Name{"int64", Dtype::i64},
    Name{"uint8", Dtype::u8},
    Name{"uint16", Dtype::u16},
    Name{"uint32", Dtype::u32},
    Name{"uint64", Dtype::u64},
    Name{"bool", Dtype::boolean},
    Name{"complex64", Dtype::c64},
    Name{"complex128", Dtype::c128},
    Name{"bfloat16", Dtype::bf16},
    Name{"float8_e4m3fn", Dtype::f8_e4m3},
    Name{"float8_e5m2", Dtype::f8_e5m2},
    Name{"float8_e4m3fnuz", Dtype::f8_e4m3fnuz},
    Name{"float8_e5m2fnuz", Dtype::f8_e5m2fnuz},
    Name{"float8_e8m0fnu", Dtype::f8_e8m0},
    // One to a byte here.
    Name{"int2", Dtype::i8},
    Name{"int4", Dtype::i8},
    Name{"uint2", Dtype::u8},
    Name{"uint4", Dtype::u8},
};

// Text and raw kinds: the bytes of one item for each unit of their number.
std::optional<NumpyDtype> parse_sized_kind(char kind, std::uint64_t number) {
  switch (kind) {
    case 'S':
    case 'a':
      return NumpyDtype{.dtype = Dtype::string, .item_bytes = number};
    case 'U':
      return NumpyDtype{.dtype = Dtype::string, .item_bytes = number * 4};
    case 'V':
    case 'f':
    case 'c':
    case 'M':
    case 'm':
      return NumpyDtype{.dtype = Dtype::opaque, .item_bytes = number};
    case 'O':
      return NumpyDtype{.dtype = Dtype::opaque, .item_bytes = number, .is_object = true};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<NumpyDtype> parse_numpy_dtype(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const bool is_big_endian = text.front() == '>';
  if (std::string_view("<>|=").find(text.front()) != std::string_view::npos) text.remove_prefix(1);
  if (text == "O") return NumpyDtype{.item_bytes = 8, .is_object = true};
  const auto found = std::find_if(kNames.begin(), kNames.end(),
                                  [&](const Name& name) { return name.first == text; });
  if (found != kNames.end()) {
    const std::uint64_t item_bytes = dtype_layout(found->second).unit_bytes;
    return NumpyDtype{.dtype = found->second,
                      .item_bytes = item_bytes,
                      .is_big_endian = is_big_endian && item_bytes > 1};
  }
  std::uint32_t number = 0;
  if (text.size() < 2) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  // What follows is the unit of a date: "M8[ns]".
  if (error != std::errc() || (end != text.data() + text.size() && *end != '[')) {
    return std::nullopt;
  }
  return parse_sized_kind(text.front(), number);
}

}  // namespace weightfs::format
