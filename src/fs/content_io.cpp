// The bytes of a file: reading the pieces that it is made of, and changing its live content.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "impl.h"
#include "weightfs/base/log.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kZeroBytes = std::size_t{1} << 20;
constexpr std::size_t kMostRanges = 2048;
constexpr std::uint64_t kLargestFilledGapBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kLargestFileBytes = (std::uint64_t{1} << 63) - 1;
constexpr time_t kRelatimeSeconds = 24 * 60 * 60;

const std::array<std::byte, kZeroBytes>& zeros() {
  static const std::array<std::byte, kZeroBytes> kZeros{};
  return kZeros;
}

void add_zeros(std::uint64_t length_bytes, ReadResult& result) {
  while (length_bytes > 0) {
    const std::uint64_t piece = std::min<std::uint64_t>(length_bytes, kZeroBytes);
    Segment segment;
    segment.bytes = ByteSpan(zeros()).first(static_cast<std::size_t>(piece));
    result.segments.push_back(std::move(segment));
    result.size_bytes += piece;
    length_bytes -= piece;
  }
}

Status add_staged(const Node& node, const file::Piece& piece, ReadResult& result) {
  if (!node.staging) return fail(Code::corrupt, "the staging file is missing");
  const auto buffer =
      std::make_shared<ByteVector>(static_cast<std::size_t>(piece.end_bytes - piece.begin_bytes));
  // Bytes behind the end of the staging file are a hole that was never written.
  WEIGHTFS_TRY(read_up_to(node.staging->fd(), piece.begin_bytes, *buffer));
  Segment segment;
  segment.bytes = *buffer;
  segment.keep = buffer;
  result.segments.push_back(std::move(segment));
  result.size_bytes += buffer->size();
  return {};
}

Status add_sealed(const file::RecipeView& recipe, file::BlockCache& cache, const file::Piece& piece,
                  ReadResult& result) {
  WEIGHTFS_ASSIGN(const std::vector<file::LocatedEntry> entries,
                  recipe.entries_of(piece.begin_bytes, piece.end_bytes));
  for (const file::LocatedEntry& entry : entries) {
    const std::uint64_t begin = std::max(entry.offset_bytes, piece.begin_bytes);
    const std::uint64_t end = std::min(entry.end_bytes(), piece.end_bytes);
    if (entry.blob == store::BlobId::none) {
      add_zeros(end - begin, result);
      continue;
    }
    WEIGHTFS_ASSIGN(file::BlockCache::BlockPointer block, cache.get(entry.blob));
    if (block->bytes().size() != entry.length_bytes) {
      return fail(Code::corrupt, fmt::format("blob {} has another length than the recipe says",
                                             store::number(entry.blob)));
    }
    Segment segment;
    segment.bytes = block->bytes().subspan(static_cast<std::size_t>(begin - entry.offset_bytes),
                                           static_cast<std::size_t>(end - begin));
    segment.keep = std::move(block);
    result.segments.push_back(std::move(segment));
    result.size_bytes += end - begin;
  }
  return {};
}

}  // namespace

Error Filesystem::Impl::explain(const Node& node, std::uint64_t offset_bytes, Error error) const {
  if (error.code != Code::corrupt) return error;
  log::error("inode {} ({}), offset {}: {}", node.inode,
             node.name_hint.empty() ? "name unknown" : node.name_hint, offset_bytes, error.message);
  error.code = Code::io;
  return error;
}

Result<std::shared_ptr<const file::RecipeView>> Filesystem::Impl::recipe_of(Node& node) {
  std::shared_ptr<const file::RecipeView> known = std::atomic_load(&node.recipe);
  if (known && known->id() == node.record.content.recipe) return known;
  WEIGHTFS_ASSIGN(const auto opened, file::RecipeView::open(*tree, node.record.content.recipe));
  std::shared_ptr<const file::RecipeView> view = opened;
  std::atomic_store(&node.recipe, view);
  return view;
}

Status Filesystem::Impl::read_pieces(Node& node, std::uint64_t begin, std::uint64_t end,
                                     ReadResult& result) {
  for (const file::Piece& piece : file::pieces_of(node.record.content, begin, end)) {
    Status done;
    switch (piece.origin) {
      case file::Origin::zero:
        add_zeros(piece.end_bytes - piece.begin_bytes, result);
        break;
      case file::Origin::staged:
        done = add_staged(node, piece, result);
        break;
      case file::Origin::recipe: {
        WEIGHTFS_ASSIGN(const auto recipe, recipe_of(node));
        done = add_sealed(*recipe, *cache, piece, result);
        break;
      }
    }
    if (!done) return tl::unexpected(explain(node, piece.begin_bytes, std::move(done.error())));
  }
  return {};
}

Status Filesystem::Impl::ensure_staging(Node& node) {
  if (node.staging) return {};
  tree::ContentRecord& content = node.record.content;
  if (content.staging != tree::StagingId::none)
    return fail(Code::io, "the staging file is missing");
  WEIGHTFS_ASSIGN(node.staging, staging->create(ids->next_staging()));
  content.staging = node.staging->id();
  ++node.epoch;
  return {};
}

void Filesystem::Impl::drop_staging(Node& node) {
  const tree::StagingId id = std::exchange(node.record.content.staging, tree::StagingId::none);
  node.staging.reset();
  ++node.epoch;
  if (node.committed.staging != id) discard_staging(id);  // or the commit that lets go of it does
}

Status Filesystem::Impl::set_live_size(Node& node, std::uint64_t size_bytes) {
  if (size_bytes > kLargestFileBytes)
    return fail(Code::file_too_large, "the file would be too large");
  tree::ContentRecord& content = node.record.content;
  if (size_bytes > content.size_bytes && disk_full) {
    return fail(Code::no_space, "the store's disk is full");
  }
  if (node.loan) return set_lent_size(node, size_bytes);
  if (size_bytes != content.size_bytes) {
    const bool shrinks = size_bytes < content.size_bytes;
    file::set_size(content, size_bytes);
    if (content.recipe_limit_bytes == 0) content.recipe = tree::RecipeId::none;
    // What no crash can bring back may go from the disk at once.
    const bool can_come_back = node.staging && node.staging->was_committed();
    if (can_come_back && size_bytes == 0) {
      // What is written next goes elsewhere, so that a crash finds the old content or the new one.
      drop_staging(node);
    } else if (node.staging && !can_come_back && shrinks) {
      const std::uint64_t kept_bytes = content.ranges.empty() ? 0 : size_bytes;
      if (::ftruncate(node.staging->fd(), static_cast<off_t>(kept_bytes)) != 0) {
        log::debug("a staging file kept its size");
      }
      ++node.epoch;  // a settle under way must not commit the bytes that went
    }
  }
  content_changed(node);
  return {};
}

// A file that is written in many small pieces: the gaps between them are filled from the recipe, so
// that the record that a commit writes stays small.
Status Filesystem::Impl::compact_ranges(Node& node) {
  tree::ContentRecord& content = node.record.content;
  if (content.ranges.size() < kMostRanges) return {};
  std::vector<tree::ContentRange> gaps;
  for (std::size_t i = 0; i + 1 < content.ranges.size(); ++i) {
    const std::uint64_t begin = content.ranges[i].end_bytes;
    const std::uint64_t end = content.ranges[i + 1].begin_bytes;
    if (begin < end && end - begin <= kLargestFilledGapBytes) gaps.push_back({begin, end, {}});
  }
  for (const tree::ContentRange& gap : gaps) {
    ReadResult bytes;
    WEIGHTFS_TRY(read_pieces(node, gap.begin_bytes, gap.end_bytes, bytes));
    std::uint64_t position = gap.begin_bytes;
    for (const Segment& segment : bytes.segments) {
      WEIGHTFS_TRY(write_exactly(node.staging->fd(), position, segment.bytes));
      position += segment.bytes.size();
    }
    file::mark_range(content, gap.begin_bytes, position, tree::RangeKind::staged);
  }
  return {};
}

void Filesystem::Impl::content_changed(Node& node) {
  content_changed(node, current_time());
}

void Filesystem::Impl::content_changed(Node& node, const timespec& when) {
  node.record.mtime = node.record.ctime = when;
  if (node.version == node.settled_version) node.dirty_since = Clock::now();
  ++node.version;
  node.attributes_dirty = true;
  mark_dirty(node);
}

// As relatime of mount(8), or strictatime. With the node's lock held.
bool Filesystem::Impl::is_atime_due(const Node& node, const timespec& now) const {
  if (options.read_only || options.no_atime) return false;
  if (options.no_directory_atime && node.is_directory()) return false;
  if (options.strict_atime) return true;
  const auto before = [](const timespec& a, const timespec& b) {
    return std::pair(a.tv_sec, a.tv_nsec) <= std::pair(b.tv_sec, b.tv_nsec);
  };
  const tree::InodeRecord& record = node.record;
  return before(record.atime, record.mtime) || before(record.atime, record.ctime) ||
         now.tv_sec - record.atime.tv_sec >= kRelatimeSeconds;
}

void Filesystem::Impl::touch_atime(const NodePointer& node) {
  const timespec now = current_time();
  {
    const std::shared_lock guard(node->mutex);
    if (!is_atime_due(*node, now)) return;
  }
  const std::unique_lock guard(node->mutex);
  if (!is_atime_due(*node, now) || node->removed) return;
  node->record.atime = now;
  node->attributes_dirty = true;
  mark_dirty(*node);
}

}  // namespace weightfs::fs
