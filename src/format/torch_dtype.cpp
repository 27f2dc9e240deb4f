#include "torch_dtype.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weightfs::format {
namespace {

using Name = std::pair<std::string_view, Dtype>;

// torch/__init__.py and torch/storage.py. The 4- and 2-bit quantized storages count bytes.
constexpr std::array kStorages = {
    Name{"FloatStorage", Dtype::f32},        Name{"DoubleStorage", Dtype::f64},
    Name{"HalfStorage", Dtype::f16},         Name{"BFloat16Storage", Dtype::bf16},
    Name{"LongStorage", Dtype::i64},         Name{"IntStorage", Dtype::i32},
    Name{"ShortStorage", Dtype::i16},        Name{"CharStorage", Dtype::i8},
    Name{"ByteStorage", Dtype::u8},          Name{"BoolStorage", Dtype::boolean},
    Name{"ComplexFloatStorage", Dtype::c64}, Name{"ComplexDoubleStorage", Dtype::c128},
    Name{"QInt8Storage", Dtype::qint8},      Name{"QUInt8Storage", Dtype::quint8},
    Name{"QInt32Storage", Dtype::qint32},    Name{"QUInt4x2Storage", Dtype::u8},
    Name{"QUInt2x4Storage", Dtype::u8},      Name{"UntypedStorage", Dtype::u8},
    Name{"_UntypedStorage", Dtype::u8},
};

constexpr std::array kDtypes = {
    Name{"float32", Dtype::f32},
    Name{"float", Dtype::f32},
    Name{"float64", Dtype::f64},
    Name{"double", Dtype::f64},
    Name{"float16", Dtype::f16},
    Name{"half", Dtype::f16},
    Name{"bfloat16", Dtype::bf16},
    Name{"float8_e4m3fn", Dtype::f8_e4m3},
    Name{"float8_e5m2", Dtype::f8_e5m2},
    Name{"float8_e4m3fnuz", Dtype::f8_e4m3fnuz},
    Name{"float8_e5m2fnuz", Dtype::f8_e5m2fnuz},
    Name{"float8_e8m0fnu", Dtype::f8_e8m0},
    Name{"float4_e2m1fn_x2", Dtype::u8},  // one element is a byte of two values
    Name{"int64", Dtype::i64},
    Name{"long", Dtype::i64},
    Name{"int32", Dtype::i32},
    Name{"int", Dtype::i32},
    Name{"int16", Dtype::i16},
    Name{"short", Dtype::i16},
    Name{"int8", Dtype::i8},
    Name{"uint64", Dtype::u64},
    Name{"uint32", Dtype::u32},
    Name{"uint16", Dtype::u16},
    Name{"uint8", Dtype::u8},
    Name{"bool", Dtype::boolean},
    Name{"complex64", Dtype::c64},
    Name{"cfloat", Dtype::c64},
    Name{"complex128", Dtype::c128},
    Name{"cdouble", Dtype::c128},
    Name{"qint8", Dtype::qint8},
    Name{"quint8", Dtype::quint8},
    Name{"qint32", Dtype::qint32},
};

template <std::size_t kCount>
std::optional<Dtype> find(const std::array<Name, kCount>& names, std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const Name& entry) { return entry.first == name; });
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

std::string_view last_component(std::string_view name) {
  return name.substr(name.rfind('.') + 1);  // npos + 1 is 0
}

}  // namespace

std::optional<Dtype> dtype_of_torch_storage(std::string_view class_name) {
  return find(kStorages, last_component(class_name));
}

std::optional<Dtype> dtype_of_torch(std::string_view name) {
  if (!name.starts_with("torch.")) return std::nullopt;
  return find(kDtypes, last_component(name));
}

TorchElement torch_element(std::string_view name) {
  if (const auto dtype = dtype_of_torch(name)) {
    return {.dtype = *dtype, .item_bytes = 0};
  }
  // The others (int1 to uint7, bits8, ...) take a byte each.
  if (name == "torch.complex32" || name == "torch.chalf") return {.item_bytes = 4};
  return {.item_bytes = name == "torch.bits16" ? 2U : 1U};
}

}  // namespace weightfs::format
