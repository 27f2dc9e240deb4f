#include "derive.h"

#include <algorithm>
#include <array>

namespace weightfs::codec {
namespace {

// Of several between two dtypes the likeliest comes first.
constexpr std::array kDerivations = {
    Derivation{.number = 1, .from = Dtype::f32, .to = Dtype::bf16, .apply = round_to_bf16},
    Derivation{.number = 2, .from = Dtype::f32, .to = Dtype::bf16, .apply = truncate_to_bf16},
    Derivation{.number = 3, .from = Dtype::f32, .to = Dtype::f16, .apply = round_to_f16},
    Derivation{.number = 4, .from = Dtype::bf16, .to = Dtype::f32, .apply = widen_bf16},
    Derivation{.number = 5, .from = Dtype::f16, .to = Dtype::f32, .apply = widen_f16},
    Derivation{.number = 16, .from = Dtype::f32, .to = Dtype::q8_0, .apply = quantize_f32_to_q8_0},
    Derivation{
        .number = 17, .from = Dtype::bf16, .to = Dtype::q8_0, .apply = quantize_bf16_to_q8_0},
    Derivation{.number = 18, .from = Dtype::f16, .to = Dtype::q8_0, .apply = quantize_f16_to_q8_0},
    Derivation{.number = 19, .from = Dtype::f32, .to = Dtype::q4_0, .apply = quantize_f32_to_q4_0},
    Derivation{
        .number = 20, .from = Dtype::bf16, .to = Dtype::q4_0, .apply = quantize_bf16_to_q4_0},
    Derivation{.number = 21, .from = Dtype::f16, .to = Dtype::q4_0, .apply = quantize_f16_to_q4_0},
};

}  // namespace

std::span<const Derivation> derivations() {
  return kDerivations;
}

const Derivation* derivation_of(std::uint8_t number) {
  const auto found = std::ranges::find(kDerivations, number, &Derivation::number);
  return found == kDerivations.end() ? nullptr : &*found;
}

bool is_derivable(Dtype from, Dtype to) {
  return std::ranges::any_of(kDerivations, [&](const Derivation& derivation) {
    return derivation.from == from && derivation.to == to;
  });
}

bool is_derivable_quantization(Dtype dtype) {
  return !is_float(dtype) && is_derivable(Dtype::f32, dtype);
}

std::uint64_t source_bytes(Dtype from, Dtype to, std::uint64_t length_bytes) {
  const DtypeLayout target = dtype_layout(to);
  const DtypeLayout source = dtype_layout(from);
  const std::uint64_t elements = length_bytes / target.unit_bytes * target.unit_elements;
  return elements / source.unit_elements * source.unit_bytes;
}

}  // namespace weightfs::codec
