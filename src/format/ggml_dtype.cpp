#include "ggml_dtype.h"

#include <array>

namespace weightfs::format {
namespace {

// By number. Types 4 and 5 were removed before GGUF, 31 to 33 and 36 to 38 after it.
constexpr std::array kGgml = {
    Dtype::f32,     Dtype::f16,    Dtype::q4_0,   Dtype::q4_1,  Dtype::q4_2,    Dtype::q4_3,
    Dtype::q5_0,    Dtype::q5_1,   Dtype::q8_0,   Dtype::q8_1,  Dtype::q2_k,    Dtype::q3_k,
    Dtype::q4_k,    Dtype::q5_k,   Dtype::q6_k,   Dtype::q8_k,  Dtype::iq2_xxs, Dtype::iq2_xs,
    Dtype::iq3_xxs, Dtype::iq1_s,  Dtype::iq4_nl, Dtype::iq3_s, Dtype::iq2_s,   Dtype::iq4_xs,
    Dtype::i8,      Dtype::i16,    Dtype::i32,    Dtype::i64,   Dtype::f64,     Dtype::iq1_m,
    Dtype::bf16,    Dtype::q4_0,   Dtype::q4_0,   Dtype::q4_0,  Dtype::tq1_0,   Dtype::tq2_0,
    Dtype::iq4_nl,  Dtype::iq4_nl, Dtype::iq4_nl, Dtype::mxfp4, Dtype::nvfp4,   Dtype::q1_0,
};

// rwkv_file_format.inc. Number 4 (Q4_1_O) has no dtype.
constexpr std::array kRwkv = {
    Dtype::f32,  Dtype::f16,  Dtype::q4_0, Dtype::q4_1, Dtype::opaque,
    Dtype::q4_2, Dtype::q4_3, Dtype::q5_0, Dtype::q5_1, Dtype::q8_0,
};

}  // namespace

std::optional<Dtype> dtype_of_ggml(std::uint32_t type) {
  return type < kGgml.size() ? std::optional(kGgml[type]) : std::nullopt;
}

std::optional<Dtype> dtype_of_rwkv(std::uint32_t type) {
  if (type >= kRwkv.size() || kRwkv[type] == Dtype::opaque) return std::nullopt;
  return kRwkv[type];
}

}  // namespace weightfs::format
