#include "tf_dtype.h"

#include <array>

namespace weightfs::format {
namespace {

// DataType, in its order.
constexpr std::array kDtypes = {
    Dtype::opaque,  Dtype::f32,     Dtype::f64,    Dtype::i32,    Dtype::u8,      Dtype::i16,
    Dtype::i8,      Dtype::string,  Dtype::c64,    Dtype::i64,    Dtype::boolean, Dtype::qint8,
    Dtype::quint8,  Dtype::qint32,  Dtype::bf16,   Dtype::opaque, Dtype::opaque,  Dtype::u16,
    Dtype::c128,    Dtype::f16,     Dtype::opaque, Dtype::opaque, Dtype::u32,     Dtype::u64,
    Dtype::f8_e5m2, Dtype::f8_e4m3, Dtype::opaque, Dtype::opaque, Dtype::opaque,  Dtype::i4,
    Dtype::u4,
};

}  // namespace

Dtype tf_dtype(std::uint64_t number) {
  return number < kDtypes.size() ? kDtypes[number] : Dtype::opaque;
}

}  // namespace weightfs::format
