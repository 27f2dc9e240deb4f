#include "sstable.h"

#include <string>

#include "bounds.h"
#include "source_io.h"

namespace weightfs::format {
namespace {

constexpr std::uint64_t kFooterBytes = 48;
constexpr std::uint64_t kMagicBytes = 8;
constexpr std::uint64_t kMagic = 0xdb4775248b80fb57ULL;
constexpr std::uint64_t kMaxBlockBytes = 16ULL << 20;
// All blocks together: an index names each tensor once.
constexpr std::uint64_t kMaxTableBytes = 256ULL << 20;

struct BlockHandle {
  std::uint64_t offset_bytes;
  std::uint64_t length_bytes;
};

BlockHandle read_handle(ByteReader& in) {
  const std::uint64_t offset_bytes = in.varint();
  return {.offset_bytes = offset_bytes, .length_bytes = in.varint()};
}

// A block without its trailer of a compression type and a checksum.
Result<ByteVector> read_block(const ByteSource& source, const BlockHandle& handle) {
  constexpr std::uint64_t kTrailerBytes = 5;
  if (handle.length_bytes > kMaxBlockBytes) return fail(Code::invalid, "a block is too large");
  WEIGHTFS_ASSIGN(ByteVector block,
                  read_range(source, handle.offset_bytes, handle.length_bytes + kTrailerBytes));
  if (block[handle.length_bytes] != std::byte{0}) {
    return fail(Code::unsupported, "the table is compressed");
  }
  block.resize(handle.length_bytes);
  return block;
}

// The part of a block before its restart points.
Result<ByteSpan> entries_of(ByteSpan block) {
  if (block.size() < 4) return fail(Code::invalid, "a block is too short");
  const auto restart_count = load_unaligned<std::uint32_t>(block.data() + block.size() - 4);
  const std::uint64_t tail_bytes = 4 * (std::uint64_t{restart_count} + 1);
  if (tail_bytes > block.size()) return fail(Code::invalid, "a block is broken");
  return block.first(block.size() - tail_bytes);
}

// Each key is given by what it shares with the one before it, and the rest.
Status for_each_in_block(ByteSpan block, const SstableEntry& entry, bool& goes_on) {
  WEIGHTFS_ASSIGN(const ByteSpan entries, entries_of(block));
  ByteReader in(entries);
  std::string key;
  while (!in.at_end() && goes_on) {
    const std::uint64_t shared_bytes = in.varint();
    const std::uint64_t own_bytes = in.varint();
    const std::uint64_t value_bytes = in.varint();
    if (shared_bytes > key.size()) return fail(Code::invalid, "a key is broken");
    key.resize(shared_bytes);
    key += in.text(own_bytes);
    const ByteSpan value = in.bytes(value_bytes);
    if (in.failed() || key.size() > kMaxNameBytes) return fail(Code::invalid, "an entry is broken");
    goes_on = entry(key, value);
  }
  return {};
}

Result<BlockHandle> index_handle_of(const ByteSource& source) {
  if (source.size_bytes() < kFooterBytes) return fail(Code::invalid, "too short for a table");
  WEIGHTFS_ASSIGN(const ByteVector footer,
                  read_range(source, source.size_bytes() - kFooterBytes, kFooterBytes));
  ByteReader in(footer);
  (void)read_handle(in);  // of the meta index
  const BlockHandle index = read_handle(in);
  if (in.failed()) return fail(Code::invalid, "the table's footer is broken");
  return index;
}

}  // namespace

bool looks_like_sstable(const ByteSource& source) {
  if (source.size_bytes() < kFooterBytes) return false;
  const auto magic = read_range(source, source.size_bytes() - kMagicBytes, kMagicBytes);
  return magic && load_unaligned<std::uint64_t>(magic->data()) == kMagic;
}

Status for_each_sstable_entry(const ByteSource& source, const SstableEntry& entry) {
  if (!looks_like_sstable(source)) return fail(Code::invalid, "not a table");
  WEIGHTFS_ASSIGN(const BlockHandle index, index_handle_of(source));
  WEIGHTFS_ASSIGN(const ByteVector index_block, read_block(source, index));
  bool goes_on = true;
  std::uint64_t bytes_left = kMaxTableBytes;
  Status status;
  const auto visit_block = [&](std::string_view, ByteSpan value) {
    ByteReader in(value);
    const BlockHandle handle = read_handle(in);
    if (in.failed() || handle.length_bytes > bytes_left) {
      status = fail(Code::invalid, "the table's index is broken");
      return false;
    }
    bytes_left -= handle.length_bytes;
    const Result<ByteVector> block = read_block(source, handle);
    status =
        block ? for_each_in_block(*block, entry, goes_on) : Status(tl::unexpected(block.error()));
    return status.has_value() && goes_on;
  };
  bool index_goes_on = true;
  WEIGHTFS_TRY(for_each_in_block(index_block, visit_block, index_goes_on));
  return status;
}

}  // namespace weightfs::format
