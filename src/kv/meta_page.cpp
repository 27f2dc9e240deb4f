#include "meta_page.h"

#include <fmt/format.h>

#include "weightfs/base/checked.h"
#include "weightfs/base/fd.h"

namespace weightfs::kv {
namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::uint16_t kMetaPageFlag = 0x08;
constexpr std::uint16_t kIntegerKeys = 0x08;
constexpr std::size_t kMetaBytes = kPageHeaderBytes + 24 + 2 * kTreeBytes + 16;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 62;

tl::unexpected<Error> fail_damaged(const std::string& path, std::string_view what) {
  return fail(Code::corrupt,
              fmt::format("{}: {}; it is damaged or not of weightfs: restore the store from a copy",
                          path, what));
}

bool is_tree(const TreeRoot& tree, const MetaPage& meta, std::uint16_t flags) {
  const bool is_empty = tree.root == kNoPage;
  return tree.flags == flags && (is_empty || tree.root <= meta.last_page) &&
         is_empty == (tree.depth == 0);
}

Status check_meta(const MetaPage& meta, const std::string& path) {
  const bool is_power_of_two = (meta.page_bytes & (meta.page_bytes - 1)) == 0;
  if (!is_power_of_two || meta.page_bytes < 512 || meta.page_bytes > 32768) {
    return fail_damaged(path, "a meta page has an impossible page size");
  }
  if (meta.last_page >= kMaxFileBytes / meta.page_bytes) {
    return fail_damaged(path, "a meta page has an impossible last page");
  }
  if (!is_tree(meta.free_tree, meta, kIntegerKeys) || !is_tree(meta.main_tree, meta, 0)) {
    return fail_damaged(path, "a meta page has an impossible root");
  }
  return {};
}

// Checks in the order length, magic, version, fields.
Result<MetaPage> parse_meta(ByteSpan bytes, std::uint64_t number, const std::string& path) {
  ByteReader in(bytes);
  const std::uint64_t own_number = in.u64();
  in.skip(2);  // mp_pad
  const std::uint16_t flags = in.u16();
  in.skip(4);  // mp_lower, mp_upper
  const std::uint32_t magic = in.u32();
  const std::uint32_t version = in.u32();
  if (magic != kMagic || flags != kMetaPageFlag || own_number != number) {
    return fail_damaged(path, "a meta page is not one");
  }
  if (version != kDataVersion) {
    return fail(Code::newer_version, path + " was written by another version of LMDB");
  }
  MetaPage meta;
  in.skip(8 + 8);  // mm_address, mm_mapsize
  meta.page_bytes = load_unaligned<std::uint32_t>(bytes.data() + in.position());  // in md_pad
  meta.free_tree = parse_tree(in);
  meta.main_tree = parse_tree(in);
  meta.last_page = in.u64();
  meta.transaction = in.u64();
  WEIGHTFS_TRY(check_meta(meta, path));
  return meta;
}

Result<MetaPage> read_one(int fd, std::uint64_t number, std::uint64_t page_bytes,
                          const std::string& path) {
  std::byte buffer[kMetaBytes];
  WEIGHTFS_TRY(read_exactly(fd, number * page_bytes, buffer));
  return parse_meta(buffer, number, path);
}

}  // namespace

TreeRoot parse_tree(ByteReader& in) {
  TreeRoot tree;
  in.skip(4);  // md_pad
  tree.flags = in.u16();
  tree.depth = in.u16();
  in.skip(4 * 8);  // counts of pages and entries
  tree.root = in.u64();
  return tree;
}

Result<std::optional<MetaPage>> read_meta(int fd, std::uint64_t file_bytes,
                                          const std::string& path) {
  if (file_bytes == 0) return std::nullopt;
  if (file_bytes < kMetaBytes) return fail_damaged(path, "it is too short");
  WEIGHTFS_ASSIGN(const MetaPage first, read_one(fd, 0, 0, path));
  if (file_bytes < 2 * std::uint64_t{first.page_bytes})
    return fail_damaged(path, "it is too short");
  WEIGHTFS_ASSIGN(const MetaPage second, read_one(fd, 1, first.page_bytes, path));
  if (first.page_bytes != second.page_bytes) return fail_damaged(path, "its meta pages disagree");
  return first.transaction < second.transaction ? second : first;
}

}  // namespace weightfs::kv
