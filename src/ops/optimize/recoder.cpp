#include "recoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "weightfs/base/fault.h"
#include "weightfs/base/log.h"

namespace weightfs::ops {
namespace {

// What saves less is not worth the write.
constexpr std::uint64_t kLeastSavingOf = 100;

codec::Scratch& thread_scratch() {
  thread_local codec::Scratch scratch;
  return scratch;
}

// What a stream's codec tells where no layout does.
Dtype dtype_of(codec::CodecTag tag) {
  switch (tag) {
    case codec::CodecTag::bf16:
    case codec::CodecTag::bf16_fine:
    case codec::CodecTag::delta_bf16:
      return Dtype::bf16;
    case codec::CodecTag::f16:
    case codec::CodecTag::delta_f16:
      return Dtype::f16;
    case codec::CodecTag::f32:
    case codec::CodecTag::f32_fine:
    case codec::CodecTag::delta_f32:
      return Dtype::f32;
    case codec::CodecTag::f64:
    case codec::CodecTag::delta_f64:
      return Dtype::f64;
    case codec::CodecTag::f8_e4m3:
      return Dtype::f8_e4m3;
    case codec::CodecTag::f8_e5m2:
      return Dtype::f8_e5m2;
    default:
      return Dtype::opaque;
  }
}

// Zeros and pieces of a base take next to nothing, and what derives from a base (64 and above)
// follows from it: no tier knows a smaller form.
bool can_shrink(const store::BlobRecord& record) {
  constexpr std::uint8_t kFirstDerivation = 64;
  if (record.codec == codec::CodecTag::zero || record.codec == codec::CodecTag::slice) return false;
  if (static_cast<std::uint8_t>(record.codec) >= kFirstDerivation) return false;
  return record.encoded_bytes >= kLeastSavingOf;
}

struct DecodedBlob {
  store::BlobRecord record;
  ByteVector raw;
  ByteVector base;  // empty without one
};

Result<DecodedBlob> decode(const store::BlobStore& blobs, store::BlobId id, bool may_have_base) {
  WEIGHTFS_TRY(fault::check("blob.load"));
  WEIGHTFS_ASSIGN(const store::BlobRecord found, blobs.record(id));
  DecodedBlob decoded;
  if (found.base != store::BlobId::none) {
    if (!may_have_base) return fail(Code::corrupt, "a base has a base itself");
    WEIGHTFS_ASSIGN(DecodedBlob base, decode(blobs, found.base, /*may_have_base=*/false));
    decoded.base = std::move(base.raw);
  }
  WEIGHTFS_ASSIGN(const store::LoadedBlob loaded, blobs.load(id));
  decoded.record = loaded.record();
  if (decoded.record.base != found.base) return fail(Code::not_found, "the blob was healed");
  if (decoded.record.content.length_bytes > codec::kMaxBlockBytes) {
    return fail(Code::corrupt, "a blob's record is damaged");
  }
  decoded.raw.resize(decoded.record.content.length_bytes);
  WEIGHTFS_TRY(codec::decode_block(decoded.record.codec, loaded.encoded(), decoded.base,
                                   decoded.raw, thread_scratch()));
  if (content_id(decoded.raw) != decoded.record.content) {
    return fail(Code::corrupt, "a blob's bytes are not those that were stored");
  }
  return decoded;
}

bool decodes_to(const DecodedBlob& blob, codec::CodecTag tag, ByteSpan encoded) {
  ByteVector again(blob.raw.size());
  const Status decoded = codec::decode_block(tag, encoded, blob.base, again, thread_scratch());
  return decoded && again == blob.raw;
}

}  // namespace

Result<std::optional<RecodedBlob>> Recoder::recode(store::BlobId id, Dtype dtype) const {
  WEIGHTFS_ASSIGN(const store::BlobRecord record, blobs_.record(id));
  if (!can_shrink(record)) return std::nullopt;
  WEIGHTFS_ASSIGN(const DecodedBlob blob, decode(blobs_, id, /*may_have_base=*/true));
  codec::EncodeOptions how;
  how.dtype = dtype == Dtype::opaque ? dtype_of(blob.record.codec) : dtype;
  how.tier = options_.tier;
  how.portable = options_.portable;
  how.base = blob.base;
  how.base_dtype = how.dtype;
  const codec::EncodedBlock found = codec::encode_block(blob.raw, how, thread_scratch());
  // A delta that could stand alone stays one: its base counts it.
  const bool has_base = blob.record.base != store::BlobId::none;
  const std::uint64_t most =
      blob.record.encoded_bytes - (blob.record.encoded_bytes + kLeastSavingOf - 1) / kLeastSavingOf;
  if (found.uses_base != has_base || found.bytes.size() > most) return std::nullopt;
  RecodedBlob recoded{.before = blob.record,
                      .after = blob.record,
                      .encoded = ByteVector(found.bytes.begin(), found.bytes.end())};
  recoded.after.codec = found.tag;
  recoded.after.encoded_bytes = static_cast<std::uint32_t>(recoded.encoded.size());
  if (!decodes_to(blob, recoded.after.codec, recoded.encoded)) {
    log::error("blob {} stays as it is: its new encoding does not give its bytes back",
               store::number(id));
    return std::nullopt;
  }
  return recoded;
}

}  // namespace weightfs::ops
