#include "batch_writer.h"

#include <algorithm>

#include "weightfs/base/fault.h"

namespace weightfs::file {

Batch::Part& Batch::part_of(const std::shared_ptr<RecipeBuilder>& builder) {
  if (parts.empty() || parts.back().builder != builder) {
    parts.push_back(
        {.builder = builder, .entries = {}, .new_bytes = 0, .last = false, .failure = {}});
  }
  return parts.back();
}

BatchWriter::BatchWriter(const Ingest::Parts& parts)
    : parts_(parts), thread_({.name = "blob-writer", .thread_count = 1, .queue_capacity = 1}) {}

Batch BatchWriter::begin() const {
  const std::lock_guard guard(mutex_);
  Batch batch;
  batch.generation = generation_;
  return batch;
}

store::BlobId BatchWriter::find_on_its_way(const ContentId& content,
                                           std::uint32_t owner_uid) const {
  const std::lock_guard guard(mutex_);
  const auto found = on_their_way_.find(content);
  const bool known = found != on_their_way_.end() && found->second.owner_uid == owner_uid;
  return known ? found->second.id : store::BlobId::none;
}

void BatchWriter::announce(const Batch& batch, const store::BlobRecord& record) {
  const std::lock_guard guard(mutex_);
  if (batch.generation != generation_) return;  // it will fail
  on_their_way_.emplace(record.content, OnItsWay{record.id, record.owner_uid});
}

void BatchWriter::submit(Batch&& batch) {
  {
    const std::lock_guard guard(mutex_);
    ++submitted_count_;
  }
  auto shared = std::make_shared<Batch>(std::move(batch));
  thread_.submit([this, shared] { write(*shared); });
}

void BatchWriter::wait_until_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return submitted_count_ == 0; });
}

void BatchWriter::write(Batch& batch) {
  const Status written = write_blobs_and_entries(batch);
  parts_.references.unpin(batch.pins);
  parts_.ids.blobs_are_settled_below(batch.end_id);
  leave_the_way(batch, written);
  finish_files(batch, written);
  const std::lock_guard guard(mutex_);
  if (--submitted_count_ == 0) idle_.notify_all();
}

Status BatchWriter::write_blobs_and_entries(Batch& batch) {
  {
    const std::lock_guard guard(mutex_);
    if (batch.generation != generation_) return last_failure_;
  }
  WEIGHTFS_TRY(put_blobs(batch));
  Status linked = fault::check("seal.after_put");
  if (linked) linked = count_and_link(batch);
  if (!linked) doom_blobs(batch);
  return linked;
}

// Blobs that are stored and that nothing will refer to.
void BatchWriter::doom_blobs(const Batch& batch) {
  std::vector<store::BlobId> bases;
  for (const EncodedBlob& blob : batch.blobs) {
    if (blob.record.base != store::BlobId::none) bases.push_back(blob.record.base);
  }
  const auto guard = parts_.references.lock();
  tree::Change change(parts_.tree);
  // The reaper takes a reference from the base of each blob that it erases.
  if (!parts_.references.add_blob_references(change, {}, bases)) return;
  for (const EncodedBlob& blob : batch.blobs) change.add_doomed_blob(blob.record.id);
  parts_.tree.apply(std::move(change));
}

void BatchWriter::leave_the_way(const Batch& batch, const Status& written) {
  const std::lock_guard guard(mutex_);
  if (!written && batch.generation == generation_) {
    ++generation_;
    last_failure_ = written;
    on_their_way_.clear();
    return;
  }
  for (const EncodedBlob& blob : batch.blobs) {
    const auto found = on_their_way_.find(blob.record.content);
    const bool own = found != on_their_way_.end() && found->second.id == blob.record.id;
    if (own) on_their_way_.erase(found);
  }
}

Status BatchWriter::put_blobs(const Batch& batch) {
  if (batch.blobs.empty()) return {};
  std::vector<store::NewBlob> blobs;
  blobs.reserve(batch.blobs.size());
  for (const EncodedBlob& blob : batch.blobs) blobs.push_back({blob.record, blob.bytes});
  WEIGHTFS_FAULT_POINT("seal.before_put");
  return parts_.blobs.put(blobs);
}

// One change for the whole batch: counts and the chunks that they count agree at every commit.
Status BatchWriter::count_and_link(Batch& batch) {
  std::vector<tree::RecipeEntry> entries;
  std::vector<store::BlobId> bases;
  for (const Batch::Part& part : batch.parts) {
    entries.insert(entries.end(), part.entries.begin(), part.entries.end());
  }
  for (const EncodedBlob& blob : batch.blobs) {
    if (blob.record.base != store::BlobId::none) bases.push_back(blob.record.base);
  }
  const auto guard = parts_.references.lock();
  tree::Change change(parts_.tree);
  WEIGHTFS_TRY(parts_.references.add_blob_references(change, entries, bases));
  for (Batch::Part& part : batch.parts) append_entries(change, part);
  for (const BaseFinder::Candidate& base : batch.bases) BaseFinder::put(change, base);
  parts_.tree.apply(std::move(change));
  for (const BaseFinder::Candidate& base : batch.bases) parts_.bases.remember(base);
  return {};
}

void BatchWriter::append_entries(tree::Change& change, Batch::Part& part) {
  RecipeBuilder& builder = *part.builder;
  tree::RecipeHeader& header = builder.header;
  header.stored_bytes += part.new_bytes;
  const auto put_chunk = [&] {
    change.put_recipe_chunk(builder.id, header.chunk_begin_bytes.size() - 1, builder.open_chunk);
  };
  for (const tree::RecipeEntry& entry : part.entries) {
    if (builder.open_chunk.size() == tree::kRecipeChunkEntries) {
      put_chunk();
      builder.open_chunk.clear();
    }
    if (builder.open_chunk.empty()) header.chunk_begin_bytes.push_back(header.size_bytes);
    builder.open_chunk.push_back(entry);
    builder.has_blobs = builder.has_blobs || entry.blob != store::BlobId::none;
    header.size_bytes += entry.length_bytes;
    ++header.entry_count;
  }
  if (!part.entries.empty()) put_chunk();
}

void BatchWriter::finish_files(Batch& batch, const Status& written) {
  for (Batch::Part& part : batch.parts) {
    RecipeBuilder& builder = *part.builder;
    if (!written && builder.failure) builder.failure = written;
    if (!part.failure && builder.failure) builder.failure = part.failure;
    if (!part.last) continue;
    if (!builder.failure) {
      parts_.references.end_building(builder.id);
      builder.done(tl::unexpected(builder.failure.error()));
      continue;
    }
    builder.done(SealedRecipe{.id = builder.id,
                              .header = std::move(builder.header),
                              .layout = std::move(builder.layout),
                              .has_blobs = builder.has_blobs});
  }
}

}  // namespace weightfs::file
