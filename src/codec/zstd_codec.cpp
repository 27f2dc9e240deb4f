#include "zstd_codec.h"

#include <zstd.h>

#include <memory>

namespace weightfs::codec {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx& compression_context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return *context;
}

ZSTD_DCtx& decompression_context() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return *context;
}

}  // namespace

bool encode_zstd(ByteSpan raw, int level, ByteVector& out) {
  if (raw.empty()) return false;
  out.resize(raw.size() - 1);
  const std::size_t size = ZSTD_compressCCtx(&compression_context(), out.data(), out.size(),
                                             raw.data(), raw.size(), level);
  if (ZSTD_isError(size)) return false;
  out.resize(size);
  return true;
}

Status decode_zstd(ByteSpan encoded, MutableByteSpan out) {
  const std::size_t size = ZSTD_decompressDCtx(&decompression_context(), out.data(), out.size(),
                                               encoded.data(), encoded.size());
  if (ZSTD_isError(size)) return fail(Code::corrupt, ZSTD_getErrorName(size));
  if (size != out.size()) return fail(Code::corrupt, "a zstd block has another length");
  return {};
}

}  // namespace weightfs::codec
