// The functions of docs/codecs-derived.md, one a file behind this interface.
//
// Each gives the same bytes on every machine and for any input: NaNs, infinities, whatever a
// damaged base holds.
#pragma once

#include <span>

#include "weightfs/base/bytes.h"
#include "weightfs/codec/derivation.h"

namespace weightfs::codec {

struct Derivation {
  std::uint8_t number;  // persisted in streams: never changed or reused
  Dtype from;
  Dtype to;
  // Makes `to` (whole units of its dtype) from as many elements of `from`.
  void (*apply)(ByteSpan from, MutableByteSpan to);
};

std::span<const Derivation> derivations();
// Null for a number that this version does not know.
const Derivation* derivation_of(std::uint8_t number);

// Float to bfloat16: to the nearest, ties to even, NaN to 0x7FC0 (as torch and ml_dtypes do); and
// its upper half as it is.
void round_to_bf16(ByteSpan f32, MutableByteSpan bf16);
void truncate_to_bf16(ByteSpan f32, MutableByteSpan bf16);
// Float to IEEE half: to the nearest, ties to even; NaN to 0x7E00 with its sign.
void round_to_f16(ByteSpan f32, MutableByteSpan f16);
// Exact, but for NaNs of f16: those are quiet, with their payload's bits in front.
void widen_bf16(ByteSpan bf16, MutableByteSpan f32);
void widen_f16(ByteSpan f16, MutableByteSpan f32);

// Rows of values to ggml's blocks, as its reference quantization does.
void quantize_f32_to_q8_0(ByteSpan f32, MutableByteSpan q8_0);
void quantize_bf16_to_q8_0(ByteSpan bf16, MutableByteSpan q8_0);
void quantize_f16_to_q8_0(ByteSpan f16, MutableByteSpan q8_0);
void quantize_f32_to_q4_0(ByteSpan f32, MutableByteSpan q4_0);
void quantize_bf16_to_q4_0(ByteSpan bf16, MutableByteSpan q4_0);
void quantize_f16_to_q4_0(ByteSpan f16, MutableByteSpan q4_0);

}  // namespace weightfs::codec
