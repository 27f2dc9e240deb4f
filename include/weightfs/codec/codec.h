// Blocks <-> encoded bytes, losslessly.
//
// One codec a file. A codec's stream is specified in docs/codecs.md and never changes; a better one
// gets a new tag. Decoders trust nothing: any bytes give either exactly the block or an error.
// Codecs are stateless and thread-safe; scratch memory comes with the caller's Scratch, one to a
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::codec {

// Persisted in blobs: numbers are never changed or reused. 16.. are float codecs, 32.. those of
// integers and containers, 48.. deltas against a base block, 64.. derivations.
enum class CodecTag : std::uint8_t {
  zero = 1,  // all bytes are zero; the stream is empty
  raw = 2,
  zstd = 3,
  // Floats by planes, in the order of FloatKind.
  bf16 = 16,
  f16 = 17,
  f32 = 18,
  f64 = 19,
  f8_e4m3 = 20,
  f8_e5m2 = 21,
  bf16_fine = 22,
  f32_fine = 23,
  zero_mask = 24,  // and any of these for the elements that are not zero
  ints = 32,       // integers, quantized blocks, other bytes: by columns
  // 48 to 50 were deltas of floats before any store was in the field, and stay unused.
  delta_ints = 51,  // whatever is no float below, by its difference from the base, by columns
  slice = 52,       // a piece of a longer base, as it is
  delta_bf16 = 53,  // floats by their distance from the base's
  delta_f16 = 54,
  delta_f32 = 55,
  delta_f64 = 56,
  derived = 64,  // a function of a base of another dtype, and what differs from it
};

// Blocks are at most this long; decoders refuse more.
constexpr std::size_t kMaxBlockBytes = std::size_t{1} << 20;

enum class Tier : std::uint8_t { fast = 0, default_tier = 1, cold = 2 };

// What the encoder knows of a block.
struct EncodeOptions {
  Dtype dtype = Dtype::opaque;  // of the extent; the block starts at a unit's start
  Tier tier = Tier::default_tier;
  bool portable = false;  // choose only what is read quickly without wide vectors
  // The raw bytes of the base block, of dtype `base_dtype`; empty where there is none. One of the
  // block's length may give a delta, chosen only if it is smaller than the block alone. A longer
  // one gives a slice, if the block is its piece at `base_offset_bytes`. One of another dtype gives
  // what is_derivable() knows: the block is then compared with a function of as many elements from
  // `base_offset_bytes` on.
  ByteSpan base = {};
  Dtype base_dtype = Dtype::opaque;
  std::size_t base_offset_bytes = 0;
};

// Buffers that codecs reuse between blocks. Not thread-safe: one to a thread.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(Scratch&&) noexcept;
  Scratch& operator=(Scratch&&) noexcept;
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

struct EncodedBlock {
  CodecTag tag;
  bool uses_base;  // the stream can only be decoded with the base
  // In the scratch, or the raw bytes themselves; valid until the scratch is used again.
  ByteSpan bytes;
};

// Encodes `raw` (1 to kMaxBlockBytes bytes) with the codec that a look at a sample chooses. Never
// larger than raw. Always succeeds.
EncodedBlock encode_block(ByteSpan raw, const EncodeOptions& options, Scratch& scratch);

// Decodes `encoded` into exactly `out`. `base` is the base block's raw bytes where the tag is a
// delta's, empty otherwise. An unknown tag is Code::newer_version, a damaged stream Code::corrupt;
// `out` then holds anything.
Status decode_block(CodecTag tag, ByteSpan encoded, ByteSpan base, MutableByteSpan out,
                    Scratch& scratch);

// "zero", "raw", "zstd", ...; "unknown" for others.
std::string_view codec_name(CodecTag tag);
bool is_known_codec(std::uint8_t number);
// Whether every byte is zero.
bool is_all_zero(ByteSpan bytes);

}  // namespace weightfs::codec
