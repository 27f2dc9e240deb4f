#include "weightfs/tree/records.h"

#include "weightfs/base/bytes.h"

namespace weightfs::tree {
namespace {

constexpr std::uint8_t kInodeVersion = 1;
constexpr std::uint8_t kRecipeVersion = 1;
constexpr std::uint8_t kBaseVersion = 1;

std::string text_from(ByteWriter& out) {
  return std::string(text_of(out.view()));
}

void write_time(ByteWriter& out, const timespec& time) {
  out.i64(time.tv_sec);
  out.u32(static_cast<std::uint32_t>(time.tv_nsec));
}

timespec read_time(ByteReader& in) {
  timespec time{};
  time.tv_sec = in.i64();
  time.tv_nsec = in.u32();
  return time;
}

void write_content(ByteWriter& out, const ContentRecord& content) {
  out.varint(content.size_bytes);
  out.varint(number(content.recipe));
  out.varint(content.recipe_limit_bytes);
  out.varint(number(content.staging));
  out.varint(content.stored_bytes);
  out.varint(content.ranges.size());
  std::uint64_t position = 0;
  for (const ContentRange& range : content.ranges) {
    out.varint(range.begin_bytes - position);
    out.varint(range.end_bytes - range.begin_bytes);
    out.u8(static_cast<std::uint8_t>(range.kind));
    position = range.end_bytes;
  }
}

bool read_ranges(ByteReader& in, ContentRecord& content) {
  const std::uint64_t count = in.varint();
  if (count > in.remaining()) return false;
  std::uint64_t position = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    ContentRange range;
    range.begin_bytes = position + in.varint();
    range.end_bytes = range.begin_bytes + in.varint();
    range.kind = static_cast<RangeKind>(in.u8());
    const bool known = range.kind == RangeKind::staged || range.kind == RangeKind::zero;
    if (!known || range.begin_bytes < position || range.end_bytes <= range.begin_bytes)
      return false;
    content.ranges.push_back(range);
    position = range.end_bytes;
  }
  return true;
}

bool read_content(ByteReader& in, ContentRecord& content) {
  content.size_bytes = in.varint();
  content.recipe = static_cast<RecipeId>(in.varint());
  content.recipe_limit_bytes = in.varint();
  content.staging = static_cast<StagingId>(in.varint());
  content.stored_bytes = in.varint();
  return read_ranges(in, content);
}

}  // namespace

std::string serialize_inode(const InodeRecord& inode) {
  ByteWriter out;
  out.u8(kInodeVersion);
  out.u32(inode.mode);
  out.u32(inode.link_count);
  out.u32(inode.uid);
  out.u32(inode.gid);
  out.u64(inode.device);
  for (const timespec& time : {inode.atime, inode.mtime, inode.ctime, inode.btime}) {
    write_time(out, time);
  }
  out.varint(inode.parent);
  out.varint(inode.entry_count);
  out.varint(inode.next_cookie);
  out.prefixed_text(inode.symlink_target);
  write_content(out, inode.content);
  return text_from(out);
}

Result<InodeRecord> parse_inode(std::string_view bytes) {
  ByteReader in(bytes_of(bytes));
  InodeRecord inode;
  if (in.u8() != kInodeVersion) return fail(Code::corrupt, "an inode record of an unknown version");
  inode.mode = in.u32();
  inode.link_count = in.u32();
  inode.uid = in.u32();
  inode.gid = in.u32();
  inode.device = in.u64();
  for (timespec* time : {&inode.atime, &inode.mtime, &inode.ctime, &inode.btime}) {
    *time = read_time(in);
  }
  inode.parent = in.varint();
  inode.entry_count = in.varint();
  inode.next_cookie = in.varint();
  const std::uint64_t target_bytes = in.varint();
  inode.symlink_target = in.text(target_bytes);
  if (!read_content(in, inode.content) || in.failed() || !in.at_end()) {
    return fail(Code::corrupt, "an inode record is damaged");
  }
  return inode;
}

std::string serialize_entry(const EntryRecord& entry) {
  ByteWriter out;
  out.varint(entry.inode);
  out.varint(entry.type_mode);
  out.varint(entry.cookie);
  return text_from(out);
}

Result<EntryRecord> parse_entry(std::string_view bytes) {
  ByteReader in(bytes_of(bytes));
  EntryRecord entry;
  entry.inode = in.varint();
  entry.type_mode = static_cast<std::uint32_t>(in.varint());
  entry.cookie = in.varint();
  if (in.failed() || !in.at_end()) return fail(Code::corrupt, "a directory entry is damaged");
  return entry;
}

std::string serialize_cookie(const CookieRecord& entry) {
  ByteWriter out;
  out.varint(entry.inode);
  out.varint(entry.type_mode);
  out.text(entry.name);
  return text_from(out);
}

Result<CookieRecord> parse_cookie(std::string_view bytes) {
  ByteReader in(bytes_of(bytes));
  CookieRecord entry;
  entry.inode = in.varint();
  entry.type_mode = static_cast<std::uint32_t>(in.varint());
  entry.name = text_of(in.rest());
  if (in.failed() || entry.name.empty()) return fail(Code::corrupt, "a directory entry is damaged");
  return entry;
}

std::string serialize_recipe_chunk(const std::vector<RecipeEntry>& entries) {
  ByteWriter out;
  for (const RecipeEntry& entry : entries) {
    out.u64(store::number(entry.blob));
    out.u64(entry.length_bytes);
  }
  return text_from(out);
}

Result<std::vector<RecipeEntry>> parse_recipe_chunk(std::string_view bytes) {
  if (bytes.size() % 16 != 0) return fail(Code::corrupt, "a recipe is damaged");
  ByteReader in(bytes_of(bytes));
  std::vector<RecipeEntry> entries(bytes.size() / 16);
  for (RecipeEntry& entry : entries) {
    entry.blob = static_cast<store::BlobId>(in.u64());
    entry.length_bytes = in.u64();
  }
  return entries;
}

std::string serialize_recipe_header(const RecipeHeader& header) {
  ByteWriter out;
  out.u8(kRecipeVersion);
  out.varint(header.size_bytes);
  out.varint(header.reference_count);
  out.varint(header.stored_bytes);
  out.varint(header.entry_count);
  out.varint(header.chunk_begin_bytes.size());
  for (const std::uint64_t begin : header.chunk_begin_bytes) out.u64(begin);
  return text_from(out);
}

Result<RecipeHeader> parse_recipe_header(std::string_view bytes) {
  ByteReader in(bytes_of(bytes));
  if (in.u8() != kRecipeVersion) return fail(Code::corrupt, "a recipe of an unknown version");
  RecipeHeader header;
  header.size_bytes = in.varint();
  header.reference_count = in.varint();
  header.stored_bytes = in.varint();
  header.entry_count = in.varint();
  const std::uint64_t chunk_count = in.varint();
  if (chunk_count > in.remaining() / 8) return fail(Code::corrupt, "a recipe is damaged");
  for (std::uint64_t i = 0; i < chunk_count; ++i) header.chunk_begin_bytes.push_back(in.u64());
  if (in.failed() || !in.at_end()) return fail(Code::corrupt, "a recipe is damaged");
  return header;
}

std::string serialize_base(const BaseRecord& base) {
  ByteWriter out;
  out.u8(kBaseVersion);
  out.prefixed_text(base.sketch);
  out.varint(base.block_bytes);
  out.varint(base.blobs.size());
  for (const store::BlobId id : base.blobs) out.u64(store::number(id));
  return text_from(out);
}

Result<BaseRecord> parse_base(std::string_view bytes) {
  ByteReader in(bytes_of(bytes));
  if (in.u8() != kBaseVersion) return fail(Code::corrupt, "a base of an unknown version");
  BaseRecord base;
  const std::uint64_t sketch_bytes = in.varint();
  base.sketch = in.text(sketch_bytes);
  base.block_bytes = in.varint();
  const std::uint64_t count = in.varint();
  if (count > in.remaining() / 8) return fail(Code::corrupt, "a base is damaged");
  base.blobs.resize(count);
  for (store::BlobId& id : base.blobs) id = static_cast<store::BlobId>(in.u64());
  if (in.failed() || !in.at_end() || base.block_bytes == 0) {
    return fail(Code::corrupt, "a base is damaged");
  }
  return base;
}

}  // namespace weightfs::tree
