#include "weightfs/file/ingest.h"

#include <algorithm>
#include <mutex>

#include "batch_writer.h"
#include "block_encoder.h"
#include "tensor_tracker.h"
#include "weightfs/base/parallel.h"
#include "weightfs/chunk/cutter.h"

namespace weightfs::file {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{8} << 20;
constexpr std::size_t kReadPieceBytes = std::size_t{1} << 20;
// Shorter holes are read as the zeros that they are.
constexpr std::uint64_t kShortestHoleBytes = std::uint64_t{64} << 10;
constexpr std::size_t kMostEntriesOfBatch = 16384;

// How much of the hole at the cutter's position can be skipped without moving a tensor's cuts.
std::uint64_t skippable_bytes(const chunk::Cutter& cutter, std::uint64_t next_data_bytes) {
  const std::uint64_t position = cutter.position_bytes();
  const std::uint64_t end = std::min(next_data_bytes, cutter.extent_end_bytes());
  if (end <= position) return 0;
  const std::uint64_t hole = end - position;
  if (end == cutter.extent_end_bytes()) return hole;
  const std::uint64_t block_bytes = chunk::tensor_block_bytes(cutter.extent());
  if (block_bytes > 0) return hole / block_bytes * block_bytes;
  return hole >= kShortestHoleBytes ? hole : 0;
}

// Whether the next block, cut as usual, is one of the file's earlier recipe.
bool is_unchanged_block(const IngestFile& file, const chunk::Cutter& cutter) {
  const std::uint64_t position = cutter.position_bytes();
  if (!file.previous || position >= file.previous->size_bytes()) return false;
  const auto entry = file.previous->locate(position);
  return entry && entry->offset_bytes == position &&
         entry->length_bytes == cutter.known_length_bytes() &&
         file.unchanged(position, entry->end_bytes());
}

}  // namespace

struct Ingest::Impl {
  Impl(const Parts& ingest_parts, const IngestOptions& ingest_options)
      : parts(ingest_parts),
        options(ingest_options),
        workers({.name = "encode", .thread_count = ingest_options.worker_count - 1}),
        encoder(ingest_parts, ingest_options, workers, writer),
        writer(ingest_parts),
        batch(writer.begin()),
        tensors(ingest_parts.bases, ingest_options.tier) {}

  Status cut_file(const IngestFile& file, const std::shared_ptr<RecipeBuilder>& builder);
  void plan_extent(const IngestFile& file, chunk::Cutter& cutter);
  Result<bool> take_over_previous(const IngestFile& file, chunk::Cutter& cutter,
                                  const std::shared_ptr<RecipeBuilder>& builder);
  bool skip_hole(const IngestFile& file, chunk::Cutter& cutter,
                 const std::shared_ptr<RecipeBuilder>& builder);
  Status process_window(const IngestFile& file, chunk::Cutter& cutter,
                        const std::shared_ptr<RecipeBuilder>& builder);
  Status read_window(const ByteSource& source, std::uint64_t offset_bytes);
  std::vector<BlockToEncode> cut_window(const IngestFile& file, chunk::Cutter& cutter,
                                        const RecipeBuilder& builder);
  void append(const std::shared_ptr<RecipeBuilder>& builder, const tree::RecipeEntry& entry);
  void submit_batch();
  void await_bases();

  const Parts parts;
  const IngestOptions options;
  std::mutex mutex;  // one file at a time; before every lock below fs/
  WorkerPool workers;
  BlockEncoder encoder;
  ByteVector window;
  BatchWriter writer;
  Batch batch;
  TensorTracker tensors;
  bool bases_on_their_way = false;  // of earlier files: found once they are written
};

Ingest::Ingest(const Parts& parts, const IngestOptions& options)
    : impl_(std::make_unique<Impl>(parts, options)) {}

Ingest::~Ingest() {
  flush();
}

void Ingest::add(const IngestFile& file) {
  const std::lock_guard guard(impl_->mutex);
  auto builder = std::make_shared<RecipeBuilder>();
  builder->id = impl_->parts.ids.next_recipe();
  builder->done = file.done;
  tree::Change change(impl_->parts.tree);
  impl_->parts.references.begin_building(change, builder->id);
  impl_->parts.tree.apply(std::move(change));
  Status cut = impl_->cut_file(file, builder);
  Batch::Part& part = impl_->batch.part_of(builder);
  part.last = true;
  part.failure = std::move(cut);
  if (impl_->batch.encoded_bytes >= impl_->options.batch_bytes) impl_->submit_batch();
}

void Ingest::flush() {
  const std::lock_guard guard(impl_->mutex);
  if (!impl_->batch.parts.empty()) impl_->submit_batch();
  impl_->writer.wait_until_idle();
  impl_->batch = impl_->writer.begin();  // a failure before this is none of the next file's
}

void Ingest::Impl::submit_batch() {
  batch.end_id = encoder.next_id();
  writer.submit(std::move(batch));
  batch = writer.begin();
}

void Ingest::Impl::append(const std::shared_ptr<RecipeBuilder>& builder,
                          const tree::RecipeEntry& entry) {
  std::vector<tree::RecipeEntry>& entries = batch.part_of(builder).entries;
  const bool zero = entry.blob == store::BlobId::none;
  if (zero && !entries.empty() && entries.back().blob == store::BlobId::none) {
    entries.back().length_bytes += entry.length_bytes;
    return;
  }
  entries.push_back(entry);
  ++batch.entry_count;
}

Status Ingest::Impl::cut_file(const IngestFile& file,
                              const std::shared_ptr<RecipeBuilder>& builder) {
  builder->layout = format::detect_layout(*file.source, file.name, file.neighbours);
  if (!validated(builder->layout, file.source->size_bytes())) {
    builder->layout = opaque_layout(file.source->size_bytes(), "the parser's layout is not valid");
  }
  chunk::Cutter cutter(builder->layout);
  if (tensors.begin_file(builder->layout)) await_bases();
  while (!cutter.at_end()) {
    if (file.cancelled && file.cancelled()) {
      return fail(Code::interrupted, "the file was changed while it was sealed");
    }
    plan_extent(file, cutter);
    WEIGHTFS_ASSIGN(const bool taken_over, take_over_previous(file, cutter, builder));
    if (!taken_over && !skip_hole(file, cutter, builder)) {
      WEIGHTFS_TRY(process_window(file, cutter, builder));
    }
    const bool full = batch.encoded_bytes >= options.batch_bytes;
    if (full || batch.entry_count >= kMostEntriesOfBatch) submit_batch();
  }
  return {};
}

// Before an extent's first block: a tensor that gained or lost rows is cut along what it was, and
// one that is a cast of another along that.
void Ingest::Impl::plan_extent(const IngestFile& file, chunk::Cutter& cutter) {
  if (!cutter.at_extent_start()) return;
  const auto is_stored = [&](const ContentId& content) {
    if (writer.find_on_its_way(content, file.owner_uid) != store::BlobId::none) return true;
    const auto found = parts.blobs.find(content);
    return found && *found;
  };
  const KnownCuts known = {.is_stored = is_stored,
                           .is_taken_over = is_unchanged_block(file, cutter)};
  cutter.set_cuts(tensors.cuts_of(cutter.extent_index(), cutter.extent(), *file.source, known));
}

Result<bool> Ingest::Impl::take_over_previous(const IngestFile& file, chunk::Cutter& cutter,
                                              const std::shared_ptr<RecipeBuilder>& builder) {
  const std::uint64_t position = cutter.position_bytes();
  if (!file.previous || position >= file.previous->size_bytes()) return false;
  WEIGHTFS_ASSIGN(const LocatedEntry entry, file.previous->locate(position));
  const bool same_start = entry.offset_bytes == position;
  if (!same_start || entry.end_bytes() > cutter.extent_end_bytes()) return false;
  const std::uint64_t wanted = cutter.known_length_bytes();
  const bool zeros = entry.blob == store::BlobId::none;
  if (!zeros && wanted != 0 && wanted != entry.length_bytes) return false;
  if (!file.unchanged(position, entry.end_bytes())) return false;
  if (!zeros) {
    if (parts.broken.contains(entry.blob)) return false;
    WEIGHTFS_ASSIGN(const bool pinned, parts.references.pin(entry.blob));
    if (!pinned) return false;
    batch.pins.push_back(entry.blob);
  }
  append(builder, {.blob = entry.blob, .length_bytes = entry.length_bytes});
  cutter.advance(entry.length_bytes);
  return true;
}

bool Ingest::Impl::skip_hole(const IngestFile& file, chunk::Cutter& cutter,
                             const std::shared_ptr<RecipeBuilder>& builder) {
  const std::uint64_t position = cutter.position_bytes();
  const std::uint64_t length = skippable_bytes(cutter, file.source->next_data(position));
  if (length == 0) return false;
  append(builder, {.blob = store::BlobId::none, .length_bytes = length});
  cutter.advance(length);
  return true;
}

Status Ingest::Impl::read_window(const ByteSource& source, std::uint64_t offset_bytes) {
  const std::uint64_t left = source.size_bytes() - offset_bytes;
  window.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kWindowBytes, left)));
  const std::size_t piece_count = (window.size() + kReadPieceBytes - 1) / kReadPieceBytes;
  std::vector<Status> read(piece_count);
  parallel_for(workers, piece_count, [&](std::size_t i) {
    const std::size_t begin = i * kReadPieceBytes;
    const std::size_t length = std::min(kReadPieceBytes, window.size() - begin);
    read[i] = source.read_at(offset_bytes + begin, MutableByteSpan(window).subspan(begin, length));
  });
  for (Status& status : read) WEIGHTFS_TRY(std::move(status));
  return {};
}

// What an earlier file brought may predict this one, but only once it is there to be read.
void Ingest::Impl::await_bases() {
  if (!bases_on_their_way) return;
  submit_batch();
  writer.wait_until_idle();
  bases_on_their_way = false;
}

std::vector<BlockToEncode> Ingest::Impl::cut_window(const IngestFile& file, chunk::Cutter& cutter,
                                                    const RecipeBuilder& builder) {
  const std::uint64_t begin = cutter.position_bytes();
  std::vector<BlockToEncode> blocks;
  while (!cutter.at_end()) {
    const ByteSpan rest =
        ByteSpan(window).subspan(static_cast<std::size_t>(cutter.position_bytes() - begin));
    if (rest.empty()) break;
    if (!blocks.empty()) plan_extent(file, cutter);
    const chunk::Block block = cutter.next(rest);
    if (block.length_bytes == 0) break;
    const Extent& extent = builder.layout.extents[block.extent_index];
    const BlockBase base = tensors.base_of(block, extent, *file.source);
    blocks.push_back({.block = block,
                      .raw = rest.first(static_cast<std::size_t>(block.length_bytes)),
                      .base = base.blob,
                      .base_dtype = base.dtype,
                      .base_offset_bytes = base.offset_bytes});
    cutter.advance(block.length_bytes);
  }
  return blocks;
}

Status Ingest::Impl::process_window(const IngestFile& file, chunk::Cutter& cutter,
                                    const std::shared_ptr<RecipeBuilder>& builder) {
  WEIGHTFS_TRY(read_window(*file.source, cutter.position_bytes()));
  const std::vector<BlockToEncode> blocks = cut_window(file, cutter, *builder);
  if (blocks.empty()) return fail(Code::io, "a block does not fit into the window");
  WEIGHTFS_ASSIGN(const std::vector<EncodedEntry> entries,
                  encoder.encode(blocks, file.owner_uid, batch, batch.part_of(builder)));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    append(builder, entries[i].entry);
    if (auto complete = tensors.note_entry(blocks[i].block, entries[i])) {
      batch.bases.push_back(std::move(*complete));
      bases_on_their_way = true;
    }
  }
  return {};
}

}  // namespace weightfs::file
