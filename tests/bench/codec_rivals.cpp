#define ZSTD_STATIC_LINKING_ONLY  // literalCompressionMode
#include "codec_rivals.h"

#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <memory>

namespace weightfs::bench {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

std::size_t zstd(ByteSpan raw, int level, MutableByteSpan out, bool huffman_only = false) {
  static const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  if (huffman_only) {
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
  }
  return ZSTD_compress2(context.get(), out.data(), out.size(), raw.data(), raw.size());
}

bool unzstd(ByteSpan encoded, MutableByteSpan out) {
  static const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return ZSTD_decompressDCtx(context.get(), out.data(), out.size(), encoded.data(),
                             encoded.size()) == out.size();
}

// Fixed memory for the planes of one block.
MutableByteSpan plane_memory(std::size_t size) {
  static ByteVector memory(std::size_t{2} << 20);
  return MutableByteSpan(memory).first(size);
}

void shuffle(ByteSpan raw, std::size_t element_bytes, MutableByteSpan planes) {
  const std::size_t count = raw.size() / element_bytes;
  for (std::size_t byte = 0; byte < element_bytes; ++byte) {
    for (std::size_t i = 0; i < count; ++i)
      planes[byte * count + i] = raw[i * element_bytes + byte];
  }
}

void unshuffle(ByteSpan planes, std::size_t element_bytes, MutableByteSpan raw) {
  const std::size_t count = raw.size() / element_bytes;
  for (std::size_t byte = 0; byte < element_bytes; ++byte) {
    for (std::size_t i = 0; i < count; ++i)
      raw[i * element_bytes + byte] = planes[byte * count + i];
  }
}

std::size_t encode_shuffled(ByteSpan raw, ByteSpan, std::size_t element_bytes,
                            MutableByteSpan out) {
  const MutableByteSpan planes = plane_memory(raw.size());
  shuffle(raw, element_bytes, planes);
  return zstd(planes, 1, out);
}
bool decode_shuffled(ByteSpan encoded, ByteSpan, std::size_t element_bytes, MutableByteSpan out) {
  const MutableByteSpan planes = plane_memory(out.size());
  if (!unzstd(encoded, planes)) return false;
  unshuffle(planes, element_bytes, out);
  return true;
}

// Rotates words of two or four bytes left by one, so that the exponent fills the top byte.
template <class Word>
void rotate(ByteSpan from, int left, MutableByteSpan to) {
  for (std::size_t i = 0; i + sizeof(Word) <= from.size(); i += sizeof(Word)) {
    const auto word = load_unaligned<Word>(from.data() + i);
    store_unaligned(to.data() + i, std::rotl(word, left));
  }
}
void rotate_words(ByteSpan from, std::size_t element_bytes, int left, MutableByteSpan to) {
  if (element_bytes == 2) return rotate<std::uint16_t>(from, left, to);
  if (element_bytes == 4) return rotate<std::uint32_t>(from, left, to);
  std::copy(from.begin(), from.end(), to.begin());
}

// The exponents by huffman, all other bytes as they are: u32 size, huffman, bytes.
std::size_t encode_huffman(ByteSpan raw, ByteSpan, std::size_t element_bytes, MutableByteSpan out) {
  static ByteVector rotated(std::size_t{1} << 20);
  const MutableByteSpan words = MutableByteSpan(rotated).first(raw.size());
  rotate_words(raw, element_bytes, 1, words);
  const MutableByteSpan planes = plane_memory(raw.size());
  shuffle(words, element_bytes, planes);
  const std::size_t stored = raw.size() / element_bytes * (element_bytes - 1);
  const std::size_t size = zstd(planes.subspan(stored), -131072, out.subspan(4), true);
  store_unaligned(out.data(), static_cast<std::uint32_t>(size));
  std::copy_n(planes.begin(), stored, out.begin() + 4 + static_cast<std::ptrdiff_t>(size));
  return 4 + size + stored;
}
bool decode_huffman(ByteSpan encoded, ByteSpan, std::size_t element_bytes, MutableByteSpan out) {
  static ByteVector rotated(std::size_t{1} << 20);
  const auto size = load_unaligned<std::uint32_t>(encoded.data());
  const std::size_t stored = out.size() / element_bytes * (element_bytes - 1);
  const MutableByteSpan planes = plane_memory(out.size());
  if (!unzstd(encoded.subspan(4, size), planes.subspan(stored))) return false;
  std::copy_n(encoded.begin() + 4 + static_cast<std::ptrdiff_t>(size), stored, planes.begin());
  const MutableByteSpan words = MutableByteSpan(rotated).first(out.size());
  unshuffle(planes, element_bytes, words);
  rotate_words(words, element_bytes, -1, out);
  return true;
}

void exclusive_or(ByteSpan a, ByteSpan b, MutableByteSpan out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = a[i] ^ b[i];
}

std::size_t encode_bitx(ByteSpan raw, ByteSpan base, std::size_t element_bytes,
                        MutableByteSpan out) {
  static ByteVector difference(std::size_t{1} << 20);
  const MutableByteSpan bits = MutableByteSpan(difference).first(raw.size());
  exclusive_or(raw, base, bits);
  const MutableByteSpan planes = plane_memory(raw.size());
  shuffle(bits, element_bytes, planes);
  return zstd(planes, 3, out);
}
bool decode_bitx(ByteSpan encoded, ByteSpan base, std::size_t element_bytes, MutableByteSpan out) {
  const MutableByteSpan planes = plane_memory(out.size());
  if (!unzstd(encoded, planes)) return false;
  unshuffle(planes, element_bytes, out);
  exclusive_or(out, base, out);
  return true;
}

const char* as_chars(ByteSpan bytes) {
  return text_of(bytes).data();
}

std::size_t encode_lz4(ByteSpan raw, ByteSpan, std::size_t, MutableByteSpan out) {
  return static_cast<std::size_t>(
      LZ4_compress_default(as_chars(raw), const_cast<char*>(as_chars(out)),
                           static_cast<int>(raw.size()), static_cast<int>(out.size())));
}
bool decode_lz4(ByteSpan encoded, ByteSpan, std::size_t, MutableByteSpan out) {
  return LZ4_decompress_safe(as_chars(encoded), const_cast<char*>(as_chars(out)),
                             static_cast<int>(encoded.size()),
                             static_cast<int>(out.size())) == static_cast<int>(out.size());
}

std::size_t copy_out(ByteSpan raw, ByteSpan, std::size_t, MutableByteSpan out) {
  std::copy(raw.begin(), raw.end(), out.begin());
  return raw.size();
}
bool copy_back(ByteSpan encoded, ByteSpan, std::size_t, MutableByteSpan out) {
  std::copy(encoded.begin(), encoded.end(), out.begin());
  return true;
}

}  // namespace

std::vector<Rival> rivals() {
  const auto zstd3 = [](ByteSpan raw, ByteSpan, std::size_t, MutableByteSpan out) {
    return zstd(raw, 3, out);
  };
  const auto zstd19 = [](ByteSpan raw, ByteSpan, std::size_t, MutableByteSpan out) {
    return zstd(raw, 19, out);
  };
  const auto decode_zstd = [](ByteSpan encoded, ByteSpan, std::size_t, MutableByteSpan out) {
    return unzstd(encoded, out);
  };
  return {{"memcpy", copy_out, copy_back},
          {"lz4", encode_lz4, decode_lz4},
          {"zstd -3", zstd3, decode_zstd},
          {.name = "zstd -19", .encode = zstd19, .decode = decode_zstd, .is_slow = true},
          {"shuffle + zstd -1", encode_shuffled, decode_shuffled},
          {"planes + huffman", encode_huffman, decode_huffman},
          {"BitX: xor + planes + zstd -3", encode_bitx, decode_bitx, true}};
}

}  // namespace weightfs::bench
