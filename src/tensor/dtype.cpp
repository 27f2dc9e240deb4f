#include "weightfs/tensor/dtype.h"

#include <array>

#include "weightfs/base/checked.h"

namespace weightfs {
namespace {

struct Entry {
  Dtype dtype;
  std::string_view name;
  DtypeLayout layout;
};

// Block sizes of ggml's types are those of ggml-common.h's block_* structs.
constexpr std::array kEntries = {
    Entry{Dtype::opaque, "OPAQUE", {1, 1}},
    Entry{Dtype::f64, "F64", {1, 8}},
    Entry{Dtype::f32, "F32", {1, 4}},
    Entry{Dtype::f16, "F16", {1, 2}},
    Entry{Dtype::bf16, "BF16", {1, 2}},
    Entry{Dtype::f8_e4m3, "F8_E4M3", {1, 1}},
    Entry{Dtype::f8_e5m2, "F8_E5M2", {1, 1}},
    Entry{Dtype::f8_e8m0, "F8_E8M0", {1, 1}},
    Entry{Dtype::f6_e2m3, "F6_E2M3", {4, 3}},
    Entry{Dtype::f6_e3m2, "F6_E3M2", {4, 3}},
    Entry{Dtype::f4, "F4", {2, 1}},
    Entry{Dtype::i64, "I64", {1, 8}},
    Entry{Dtype::i32, "I32", {1, 4}},
    Entry{Dtype::i16, "I16", {1, 2}},
    Entry{Dtype::i8, "I8", {1, 1}},
    Entry{Dtype::i4, "I4", {2, 1}},
    Entry{Dtype::u64, "U64", {1, 8}},
    Entry{Dtype::u32, "U32", {1, 4}},
    Entry{Dtype::u16, "U16", {1, 2}},
    Entry{Dtype::u8, "U8", {1, 1}},
    Entry{Dtype::u4, "U4", {2, 1}},
    Entry{Dtype::boolean, "BOOL", {1, 1}},
    Entry{Dtype::c64, "C64", {1, 8}},
    Entry{Dtype::c128, "C128", {1, 16}},
    Entry{Dtype::u2, "U2", {4, 1}},
    Entry{Dtype::u1, "U1", {8, 1}},
    Entry{Dtype::f8_e4m3fnuz, "F8_E4M3FNUZ", {1, 1}},
    Entry{Dtype::f8_e5m2fnuz, "F8_E5M2FNUZ", {1, 1}},
    Entry{Dtype::qint8, "QINT8", {1, 1}},
    Entry{Dtype::quint8, "QUINT8", {1, 1}},
    Entry{Dtype::qint32, "QINT32", {1, 4}},
    Entry{Dtype::i2, "I2", {4, 1}},
    Entry{Dtype::string, "STRING", {1, 1}},
    Entry{Dtype::guessed_16, "GUESSED16", {1, 2}},
    Entry{Dtype::guessed_32, "GUESSED32", {1, 4}},
    Entry{Dtype::q4_0, "Q4_0", {32, 18}},
    Entry{Dtype::q4_1, "Q4_1", {32, 20}},
    Entry{Dtype::q4_2, "Q4_2", {16, 10}},
    Entry{Dtype::q4_3, "Q4_3", {16, 12}},
    Entry{Dtype::q5_0, "Q5_0", {32, 22}},
    Entry{Dtype::q5_1, "Q5_1", {32, 24}},
    Entry{Dtype::q8_0, "Q8_0", {32, 34}},
    Entry{Dtype::q8_1, "Q8_1", {32, 36}},
    Entry{Dtype::q2_k, "Q2_K", {256, 84}},
    Entry{Dtype::q3_k, "Q3_K", {256, 110}},
    Entry{Dtype::q4_k, "Q4_K", {256, 144}},
    Entry{Dtype::q5_k, "Q5_K", {256, 176}},
    Entry{Dtype::q6_k, "Q6_K", {256, 210}},
    Entry{Dtype::q8_k, "Q8_K", {256, 292}},
    Entry{Dtype::iq2_xxs, "IQ2_XXS", {256, 66}},
    Entry{Dtype::iq2_xs, "IQ2_XS", {256, 74}},
    Entry{Dtype::iq3_xxs, "IQ3_XXS", {256, 98}},
    Entry{Dtype::iq1_s, "IQ1_S", {256, 50}},
    Entry{Dtype::iq4_nl, "IQ4_NL", {32, 18}},
    Entry{Dtype::iq3_s, "IQ3_S", {256, 110}},
    Entry{Dtype::iq2_s, "IQ2_S", {256, 82}},
    Entry{Dtype::iq4_xs, "IQ4_XS", {256, 136}},
    Entry{Dtype::iq1_m, "IQ1_M", {256, 56}},
    Entry{Dtype::tq1_0, "TQ1_0", {256, 54}},
    Entry{Dtype::tq2_0, "TQ2_0", {256, 66}},
    Entry{Dtype::mxfp4, "MXFP4", {32, 17}},
    Entry{Dtype::nvfp4, "NVFP4", {64, 36}},
    Entry{Dtype::q1_0, "Q1_0", {128, 18}},
};

const Entry& entry_of(Dtype dtype) {
  for (const Entry& entry : kEntries) {
    if (entry.dtype == dtype) return entry;
  }
  return kEntries.front();
}

}  // namespace

DtypeLayout dtype_layout(Dtype dtype) {
  return entry_of(dtype).layout;
}
std::string_view dtype_name(Dtype dtype) {
  return entry_of(dtype).name;
}

std::optional<Dtype> dtype_from_name(std::string_view name) {
  for (const Entry& entry : kEntries) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

bool is_known_dtype(std::uint8_t number) {
  for (const Entry& entry : kEntries) {
    if (static_cast<std::uint8_t>(entry.dtype) == number) return true;
  }
  return false;
}

bool is_float(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
    case Dtype::f32:
    case Dtype::f16:
    case Dtype::bf16:
    case Dtype::f8_e4m3:
    case Dtype::f8_e5m2:
    case Dtype::f8_e4m3fnuz:
    case Dtype::f8_e5m2fnuz:
      return true;
    default:
      return false;
  }
}

std::optional<std::uint64_t> dtype_bytes(Dtype dtype, std::uint64_t element_count) {
  const DtypeLayout layout = dtype_layout(dtype);
  const std::uint64_t units =
      element_count / layout.unit_elements + (element_count % layout.unit_elements != 0 ? 1 : 0);
  return checked_multiply<std::uint64_t>(units, layout.unit_bytes);
}

}  // namespace weightfs
