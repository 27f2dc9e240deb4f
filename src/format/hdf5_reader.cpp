#include "hdf5_reader.h"

#include "bounds.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

}  // namespace

std::optional<std::uint64_t> Hdf5Reader::find_signature(ByteSpan head) {
  for (const std::size_t offset : {0U, 512U, 1024U, 2048U}) {
    if (head.size() < offset + kSignature.size()) return std::nullopt;
    if (text_of(head.subspan(offset, kSignature.size())) == kSignature) return offset;
  }
  return std::nullopt;
}

Result<Hdf5Reader> Hdf5Reader::open(const ByteSource& source,
                                    std::uint64_t superblock_offset_bytes) {
  Hdf5Reader reader(source);
  WEIGHTFS_TRY(reader.read_superblock(superblock_offset_bytes));
  return reader;
}

Status Hdf5Reader::read_superblock(std::uint64_t offset_bytes) {
  reader_.seek(offset_bytes);
  reader_.skip(kSignature.size());
  const std::uint8_t version = u8();
  if (version > 3) return fail(Code::invalid, "a superblock of an unknown version");
  if (version < 2) {
    read_version_0(version == 1);
  } else {
    read_version_2();
  }
  if (failed() || !has_known_sizes()) return fail(Code::invalid, "the superblock is broken");
  return {};
}

void Hdf5Reader::read_version_0(bool has_indexed_storage_k) {
  skip(4);  // versions of other parts, and a reserved byte
  address_bytes_ = u8();
  size_field_bytes_ = u8();
  skip(9);  // reserved, sizes of group nodes, flags
  if (has_indexed_storage_k) skip(4);
  if (!has_known_sizes()) return;
  const std::uint64_t base = address_field();
  skip(std::uint64_t{3} * address_bytes_);  // free space, end of file, driver
  skip(address_bytes_);                     // the root entry's name
  root_address_ = address_field();
  base_ = base;
}

void Hdf5Reader::read_version_2() {
  address_bytes_ = u8();
  size_field_bytes_ = u8();
  skip(1);
  if (!has_known_sizes()) return;
  const std::uint64_t base = address_field();
  skip(std::uint64_t{2} * address_bytes_);  // superblock extension, end of file
  root_address_ = address_field();
  base_ = base;
}

bool Hdf5Reader::has_known_sizes() const {
  const auto is_known = [](unsigned bytes) { return bytes == 2 || bytes == 4 || bytes == 8; };
  return is_known(address_bytes_) && is_known(size_field_bytes_);
}

void Hdf5Reader::seek(std::uint64_t address) {
  const auto offset_bytes = checked_add(base_, address);
  if (seeks_left_ == 0 || !offset_bytes) return set_failed();
  --seeks_left_;
  reader_.seek(*offset_bytes);
}

bool Hdf5Reader::signature(std::string_view expected) {
  if (reader_.text(expected.size()) != expected) set_failed();
  return !failed();
}

std::uint64_t Hdf5Reader::sized(unsigned byte_count) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < byte_count; ++i) value |= std::uint64_t{u8()} << (8 * i);
  return value;
}

std::uint64_t Hdf5Reader::address_field() {
  const std::uint64_t value = sized(address_bytes_);
  const std::uint64_t all_ones = kUndefined >> (64 - 8 * address_bytes_);
  return value == all_ones ? kUndefined : value;
}

std::string Hdf5Reader::terminated_text() {
  std::string text;
  while (!failed()) {
    const std::uint8_t byte = u8();
    if (byte == 0) return text;
    if (text.size() >= kMaxNameBytes) set_failed();
    text.push_back(static_cast<char>(byte));
  }
  return text;
}

}  // namespace weightfs::format
