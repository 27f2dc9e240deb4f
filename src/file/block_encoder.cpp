#include "block_encoder.h"

#include <algorithm>
#include <unordered_map>

#include "weightfs/base/log.h"
#include "weightfs/base/parallel.h"

namespace weightfs::file {
namespace {

codec::Scratch& thread_scratch() {
  thread_local codec::Scratch scratch;
  return scratch;
}

}  // namespace

Result<std::vector<EncodedEntry>> BlockEncoder::encode(std::span<const BlockToEncode> blocks,
                                                       std::uint32_t owner_uid, Batch& batch,
                                                       Batch::Part& part) {
  std::vector<Candidate> candidates(blocks.size());
  identify(blocks, candidates);
  WEIGHTFS_TRY(look_up(blocks, owner_uid, batch, candidates));
  encode_new(blocks, candidates);
  std::vector<EncodedEntry> entries;
  entries.reserve(blocks.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Candidate& candidate = candidates[i];
    entries.push_back(
        {.entry = {.blob = candidate.id, .length_bytes = blocks[i].block.length_bytes},
         .is_new = candidate.is_new,
         .is_whole = candidate.is_whole});
    if (!candidate.is_new) continue;
    part.new_bytes += candidate.encoded.bytes.size();
    batch.encoded_bytes += candidate.encoded.bytes.size();
    batch.blobs.push_back(std::move(candidate.encoded));
  }
  return entries;
}

void BlockEncoder::identify(std::span<const BlockToEncode> blocks,
                            std::vector<Candidate>& candidates) {
  parallel_for(workers_, blocks.size(), [&](std::size_t i) {
    candidates[i].zero = codec::is_all_zero(blocks[i].raw);
    if (!candidates[i].zero) candidates[i].content = content_id(blocks[i].raw);
  });
}

Status BlockEncoder::look_up(std::span<const BlockToEncode> blocks, std::uint32_t owner_uid,
                             Batch& batch, std::vector<Candidate>& candidates) {
  std::vector<ContentId> contents;
  contents.reserve(candidates.size());
  for (const Candidate& candidate : candidates) contents.push_back(candidate.content);
  WEIGHTFS_ASSIGN(const auto hits, parts_.blobs.find_all(contents));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Candidate& candidate = candidates[i];
    if (candidate.zero) continue;
    candidate.id = writer_.find_on_its_way(candidate.content, owner_uid);
    if (candidate.id != store::BlobId::none) continue;
    if (hits[i]) {
      WEIGHTFS_ASSIGN(const bool accepted,
                      accept_hit(blocks[i], *hits[i], owner_uid, candidate, batch));
      if (accepted) continue;
    }
    if (blocks[i].base != store::BlobId::none) {
      WEIGHTFS_ASSIGN(const bool pinned, parts_.references.pin(blocks[i].base));
      if (pinned) {
        candidate.base = blocks[i].base;
        batch.pins.push_back(candidate.base);
      }
    }
    candidate.id = parts_.ids.next_blob();
    candidate.is_new = true;
    next_id_ = static_cast<store::BlobId>(store::number(candidate.id) + 1);
    candidate.encoded.record = {.id = candidate.id,
                                .content = candidate.content,
                                .owner_uid = owner_uid,
                                .indexed = candidate.indexed};
    if (candidate.indexed) writer_.announce(batch, candidate.encoded.record);
  }
  return {};
}

Result<bool> BlockEncoder::accept_hit(const BlockToEncode& block, const store::BlobRecord& hit,
                                      std::uint32_t owner_uid, Candidate& candidate, Batch& batch) {
  WEIGHTFS_ASSIGN(const bool pinned, parts_.references.pin(hit.id));
  if (!pinned) return false;
  batch.pins.push_back(hit.id);
  const bool broken = parts_.broken.contains(hit.id);
  if (broken || options_.verify_dedup || hit.owner_uid != owner_uid) {
    const auto stored = broken ? tl::unexpected(Error{Code::corrupt, "known to be broken"})
                               : parts_.cache.get(hit.id);
    if (!stored && stored.error().code != Code::corrupt) return tl::unexpected(stored.error());
    if (!stored) {
      WEIGHTFS_TRY(heal(block, hit));
    } else if (!std::ranges::equal((*stored)->bytes(), block.raw)) {
      log::warning("two blocks have the content id {}; both are kept", candidate.content.to_text());
      candidate.indexed = false;
      return false;
    }
  }
  candidate.id = hit.id;
  candidate.is_whole = hit.base == store::BlobId::none;
  return true;
}

// Puts a whole encoding of the bytes that are known to be right under the broken blob's id.
Status BlockEncoder::heal(const BlockToEncode& block, const store::BlobRecord& hit) {
  codec::EncodeOptions how;
  how.dtype = block.block.dtype;
  how.tier = options_.tier;
  how.portable = options_.portable;
  const codec::EncodedBlock encoded = codec::encode_block(block.raw, how, thread_scratch());
  store::BlobRecord record = hit;
  record.codec = encoded.tag;
  record.encoded_bytes = static_cast<std::uint32_t>(encoded.bytes.size());
  record.base = store::BlobId::none;
  const store::NewBlob replacement{record, encoded.bytes};
  WEIGHTFS_TRY(parts_.blobs.replace({&replacement, 1}));
  if (hit.base != store::BlobId::none) {
    const auto guard = parts_.references.lock();
    tree::Change change(parts_.tree);
    WEIGHTFS_TRY(parts_.references.drop_blob_references(change, {&hit.base, 1}));
    parts_.tree.apply(std::move(change));
  }
  parts_.cache.forget(hit.id);
  parts_.broken.mark_healed(hit.id);
  log::info("blob {} was broken and has been written anew", store::number(hit.id));
  return {};
}

void BlockEncoder::encode_new(std::span<const BlockToEncode> blocks,
                              std::vector<Candidate>& candidates) {
  parallel_for(workers_, blocks.size(), [&](std::size_t i) {
    if (candidates[i].is_new) encode_one(blocks[i], candidates[i]);
  });
}

void BlockEncoder::encode_one(const BlockToEncode& block, Candidate& candidate) {
  codec::EncodeOptions how;
  how.dtype = block.block.dtype;
  how.tier = options_.tier;
  how.portable = options_.portable;
  BlockCache::BlockPointer base;
  if (candidate.base != store::BlobId::none) {
    base = parts_.cache.get(candidate.base).value_or(nullptr);  // a broken base is no base
    if (base) {
      how.base = base->bytes();
      how.base_dtype = block.base_dtype;
      how.base_offset_bytes = block.base_offset_bytes;
    }
  }
  const codec::EncodedBlock encoded = codec::encode_block(block.raw, how, thread_scratch());
  candidate.encoded.bytes.assign(encoded.bytes.begin(), encoded.bytes.end());
  store::BlobRecord& record = candidate.encoded.record;
  record.codec = encoded.tag;
  record.encoded_bytes = static_cast<std::uint32_t>(encoded.bytes.size());
  if (encoded.uses_base) record.base = candidate.base;
  candidate.is_whole = !encoded.uses_base;
}

}  // namespace weightfs::file
