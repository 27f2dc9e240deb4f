#include "zip.h"

#include <algorithm>

#include "bounds.h"
#include "source_io.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

// Marks and sizes of APPNOTE.TXT 4.3.7, 4.3.12, 4.3.14 to 4.3.16.
constexpr std::uint32_t kLocalMark = 0x04034b50;
constexpr std::uint32_t kCentralMark = 0x02014b50;
constexpr std::uint32_t kEndMark = 0x06054b50;
constexpr std::uint32_t kEnd64Mark = 0x06064b50;
constexpr std::uint32_t kLocator64Mark = 0x07064b50;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::uint64_t kCentralBytes = 46;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kEnd64Bytes = 56;
constexpr std::uint64_t kLocator64Bytes = 20;
constexpr std::uint64_t kMaxCommentBytes = 65535;

constexpr std::uint16_t kEncryptedFlag = 1;
constexpr std::uint16_t kStoredMethod = 0;
constexpr std::uint16_t kZip64Field = 1;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;

struct End {
  std::uint64_t member_count = 0;
  std::uint64_t directory_bytes = 0;
  std::uint64_t directory_offset = 0;
};

tl::unexpected<Error> broken(const char* what) {
  return fail(Code::invalid, what);
}

// The end record's offset in the file: the last one whose comment reaches the end of the file.
Result<std::uint64_t> find_end(const ByteSource& source, ByteVector& tail) {
  const std::uint64_t size = source.size_bytes();
  if (size < kEndBytes) return broken("a zip file without a directory");
  // Hardly an archive has a comment, and some files are thousands of archives.
  WEIGHTFS_ASSIGN(tail, read_range(source, size - kEndBytes, kEndBytes));
  if (ByteReader in(tail);
      in.u32() == kEndMark && tail[20] == std::byte{0} && tail[21] == std::byte{0}) {
    return size - kEndBytes;
  }
  const std::uint64_t tail_bytes = std::min(size, kEndBytes + kMaxCommentBytes);
  WEIGHTFS_ASSIGN(tail, read_range(source, size - tail_bytes, tail_bytes));
  for (std::uint64_t at = tail_bytes < kEndBytes ? 0 : tail_bytes - kEndBytes + 1; at-- > 0;) {
    ByteReader in(ByteSpan(tail).subspan(at));
    if (in.u32() != kEndMark) continue;
    in.skip(kEndBytes - 6);
    if (in.u16() == in.remaining() && !in.failed()) return size - tail_bytes + at;
  }
  return broken("a zip file without a directory");
}

Result<End> parse_end64(const ByteSource& source, std::uint64_t locator_offset) {
  WEIGHTFS_ASSIGN(const ByteVector locator, read_range(source, locator_offset, kLocator64Bytes));
  ByteReader in(locator);
  if (in.u32() != kLocator64Mark) return broken("a zip64 locator is missing");
  in.skip(4);
  WEIGHTFS_ASSIGN(const ByteVector record, read_range(source, in.u64(), kEnd64Bytes));
  ByteReader end_in(record);
  if (end_in.u32() != kEnd64Mark) return broken("a zip64 end record is missing");
  end_in.skip(8 + 2 + 2 + 4 + 4 + 8);
  End end;
  end.member_count = end_in.u64();
  end.directory_bytes = end_in.u64();
  end.directory_offset = end_in.u64();
  return end;
}

Result<End> read_end(const ByteSource& source) {
  ByteVector tail;
  WEIGHTFS_ASSIGN(const std::uint64_t end_offset, find_end(source, tail));
  ByteReader in(ByteSpan(tail).subspan(end_offset - (source.size_bytes() - tail.size())));
  in.skip(4);
  const std::uint16_t disk = in.u16();
  in.skip(4);
  End end;
  end.member_count = in.u16();
  end.directory_bytes = in.u32();
  end.directory_offset = in.u32();
  const bool is_zip64 = disk == 0xFFFF || end.member_count == 0xFFFF ||
                        end.directory_bytes == kIn64 || end.directory_offset == kIn64;
  if (is_zip64 && end_offset >= kLocator64Bytes) {
    return parse_end64(source, end_offset - kLocator64Bytes);
  }
  if (disk != 0) return broken("a zip file of several disks");
  return end;
}

struct CentralSizes {
  std::uint64_t uncompressed_bytes = 0;
  std::uint64_t compressed_bytes = 0;
  std::uint64_t local_offset = 0;
};

// APPNOTE 4.5.3: the 64-bit fields are there in this order, each only if its 32-bit field is full.
bool read_zip64_extra(ByteSpan extra, CentralSizes& sizes) {
  ByteReader in(extra);
  while (!in.failed() && in.remaining() >= 4) {
    const std::uint16_t id = in.u16();
    const std::uint16_t length = in.u16();
    ByteReader field(in.bytes(length));
    if (id != kZip64Field) continue;
    for (std::uint64_t* size :
         {&sizes.uncompressed_bytes, &sizes.compressed_bytes, &sizes.local_offset}) {
      if (*size == kIn64) *size = field.u64();
    }
    return !field.failed() && !in.failed();
  }
  return true;
}

// Reads one central record; offset_bytes is left at the local header.
Result<ZipMember> parse_central(ByteReader& in) {
  if (in.u32() != kCentralMark) return broken("a zip directory entry is broken");
  in.skip(4);
  const std::uint16_t flags = in.u16();
  const std::uint16_t method = in.u16();
  in.skip(8);
  CentralSizes sizes;
  sizes.compressed_bytes = in.u32();
  sizes.uncompressed_bytes = in.u32();
  const std::uint16_t name_bytes = in.u16();
  const std::uint16_t extra_bytes = in.u16();
  const std::uint16_t comment_bytes = in.u16();
  in.skip(8);
  sizes.local_offset = in.u32();
  ZipMember member;
  member.name = in.text(name_bytes);
  const bool has_sizes = read_zip64_extra(in.bytes(extra_bytes), sizes);
  in.skip(comment_bytes);
  if (in.failed() || !has_sizes) return broken("a zip directory entry is cut off");
  member.is_stored = method == kStoredMethod && (flags & kEncryptedFlag) == 0 &&
                     sizes.compressed_bytes == sizes.uncompressed_bytes;
  member.offset_bytes = sizes.local_offset;
  member.length_bytes = sizes.compressed_bytes;
  return member;
}

// The name and the extra field may have other lengths here than in the directory.
Status locate_payload(const ByteSource& source, ZipMember& member) {
  WEIGHTFS_ASSIGN(const ByteVector local, read_range(source, member.offset_bytes, kLocalBytes));
  ByteReader in(local);
  if (in.u32() != kLocalMark) return broken("a zip member has no local header");
  in.skip(22);
  const std::uint16_t name_bytes = in.u16();
  const std::uint16_t extra_bytes = in.u16();
  member.offset_bytes += kLocalBytes + name_bytes + extra_bytes;
  if (!range_fits(member.offset_bytes, member.length_bytes, source.size_bytes())) {
    return broken("a zip member reaches past the end of the file");
  }
  return {};
}

}  // namespace

bool looks_like_zip(ByteSpan head) {
  ByteReader in(head);
  const std::uint32_t mark = in.u32();
  return mark == kLocalMark || mark == kEndMark;
}

Result<std::vector<ZipMember>> read_zip_directory(const ByteSource& source) {
  WEIGHTFS_ASSIGN(const End end, read_end(source));
  if (end.member_count > kMaxTensors || end.member_count > end.directory_bytes / kCentralBytes) {
    return broken("a zip directory has too many entries");
  }
  WEIGHTFS_ASSIGN(const ByteVector directory,
                  read_range(source, end.directory_offset, end.directory_bytes));
  ByteReader in(directory);
  std::vector<ZipMember> members;
  members.reserve(end.member_count);
  for (std::uint64_t i = 0; i < end.member_count; ++i) {
    WEIGHTFS_ASSIGN(ZipMember member, parse_central(in));
    WEIGHTFS_TRY(locate_payload(source, member));
    members.push_back(std::move(member));
  }
  return members;
}

Result<std::uint64_t> find_zip_begin(const ByteSource& source) {
  ByteVector tail;
  WEIGHTFS_ASSIGN(const std::uint64_t end_offset, find_end(source, tail));
  ByteReader in(ByteSpan(tail).subspan(end_offset - (source.size_bytes() - tail.size())));
  in.skip(12);
  const std::uint64_t directory_bytes = in.u32();
  const std::uint64_t directory_offset = in.u32();
  // Where a record lies in the file, and where the archive says that it lies.
  std::uint64_t record_offset = end_offset - std::min(end_offset, directory_bytes);
  std::uint64_t said_offset = directory_offset;
  if (end_offset >= kLocator64Bytes + kEnd64Bytes) {
    WEIGHTFS_ASSIGN(const ByteVector locator,
                    read_range(source, end_offset - kLocator64Bytes, kLocator64Bytes));
    ByteReader locator_in(locator);
    if (locator_in.u32() == kLocator64Mark) {
      locator_in.skip(4);
      said_offset = locator_in.u64();
      record_offset = end_offset - kLocator64Bytes - kEnd64Bytes;
    }
  }
  if (said_offset > record_offset) return broken("a zip directory lies behind its end");
  return record_offset - said_offset;
}

const ZipMember* find_member(const std::vector<ZipMember>& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const ZipMember& member) { return member.name == name; });
  return found == members.end() ? nullptr : &*found;
}

}  // namespace weightfs::format
