// ggml's blocks (ggml_blocks.h) behind the interface of derivations, and single values of them.
#include "derive.h"
#include "ggml_kernels.h"

namespace weightfs::codec {

float dequantized(Dtype dtype, ByteSpan block, std::size_t index) {
  float scale = 0;
  widen_f16(block.first(kGgmlScaleBytes), std::as_writable_bytes(std::span(&scale, 1)));
  const ByteSpan codes = block.subspan(kGgmlScaleBytes);
  if (dtype == Dtype::q8_0) {
    return scale * static_cast<float>(std::to_integer<std::int8_t>(codes[index]));
  }
  const auto both = std::to_integer<std::int32_t>(codes[index % (kGgmlValues / 2)]);
  return scale * static_cast<float>((index < kGgmlValues / 2 ? both & 15 : both >> 4) - 8);
}

void quantize_f32_to_q8_0(ByteSpan f32, MutableByteSpan q8_0) {
  ggml_kernels(active_isa()).to_q8_0.of_f32(f32.data(), q8_0.data(), q8_0.size() / kQ8BlockBytes);
}
void quantize_bf16_to_q8_0(ByteSpan bf16, MutableByteSpan q8_0) {
  ggml_kernels(active_isa()).to_q8_0.of_bf16(bf16.data(), q8_0.data(), q8_0.size() / kQ8BlockBytes);
}
void quantize_f16_to_q8_0(ByteSpan f16, MutableByteSpan q8_0) {
  ggml_kernels(active_isa()).to_q8_0.of_f16(f16.data(), q8_0.data(), q8_0.size() / kQ8BlockBytes);
}
void quantize_f32_to_q4_0(ByteSpan f32, MutableByteSpan q4_0) {
  ggml_kernels(active_isa()).to_q4_0.of_f32(f32.data(), q4_0.data(), q4_0.size() / kQ4BlockBytes);
}
void quantize_bf16_to_q4_0(ByteSpan bf16, MutableByteSpan q4_0) {
  ggml_kernels(active_isa()).to_q4_0.of_bf16(bf16.data(), q4_0.data(), q4_0.size() / kQ4BlockBytes);
}
void quantize_f16_to_q4_0(ByteSpan f16, MutableByteSpan q4_0) {
  ggml_kernels(active_isa()).to_q4_0.of_f16(f16.data(), q4_0.data(), q4_0.size() / kQ4BlockBytes);
}

}  // namespace weightfs::codec
