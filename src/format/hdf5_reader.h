// The ground of the HDF5 reader: superblock, addresses, and fields of the file's own sizes.
// "HDF5 File Format Specification Version 3.0", II.A and III; section names below are its.
//
// Read by code of our own and not by libhdf5, which has one lock for the process and no bound on
// its work (docs/decisions/0012-own-readers-for-hdf5-and-tables.md). All addresses are relative to
// the base address, as in the file. Single-threaded; borrows the source.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "source_reader.h"
#include "weightfs/base/result.h"

namespace weightfs::format {

class Hdf5Reader {
 public:
  // What the file writes for "no address".
  static constexpr std::uint64_t kUndefined = std::numeric_limits<std::uint64_t>::max();
  // Nodes, headers and messages that one parse visits.
  static constexpr std::uint64_t kMaxSeekCount = 4'000'000;

  // Where the signature is: at 0, or behind a user block of 512, 1024 or 2048 bytes.
  static std::optional<std::uint64_t> find_signature(ByteSpan head);
  // Reads the superblock; Code::invalid where there is none that this version knows.
  static Result<Hdf5Reader> open(const ByteSource& source, std::uint64_t superblock_offset_bytes);

  std::uint64_t root_address() const { return root_address_; }
  unsigned address_bytes() const { return address_bytes_; }
  unsigned size_field_bytes() const { return size_field_bytes_; }
  bool failed() const { return reader_.failed(); }
  void set_failed() { reader_.set_failed(); }

  // To an address. Reading goes on from there.
  void seek(std::uint64_t address);
  std::uint64_t address() const { return reader_.position() - base_; }
  // An address as an offset in the file.
  std::uint64_t file_offset(std::uint64_t address) const { return base_ + address; }

  // Reads four characters and compares; failed() where they differ.
  bool signature(std::string_view expected);
  std::uint8_t u8() { return reader_.u8(); }
  std::uint16_t u16() { return reader_.u16(); }
  std::uint32_t u32() { return reader_.u32(); }
  std::uint64_t u64() { return reader_.u64(); }
  // An unsigned integer of `byte_count` bytes, at most 8.
  std::uint64_t sized(unsigned byte_count);
  // "Size of offsets" wide; kUndefined where all bits are set.
  std::uint64_t address_field();
  // "Size of lengths" wide.
  std::uint64_t size_field() { return sized(size_field_bytes_); }
  std::string text(std::uint64_t length_bytes) { return reader_.text(length_bytes); }
  // Up to a zero byte, at most kMaxNameBytes.
  std::string terminated_text();
  void skip(std::uint64_t length_bytes) { reader_.skip(length_bytes); }

 private:
  explicit Hdf5Reader(const ByteSource& source) : reader_(source) {}
  Status read_superblock(std::uint64_t offset_bytes);
  void read_version_0(bool has_indexed_storage_k);
  void read_version_2();
  bool has_known_sizes() const;

  SourceReader reader_;
  std::uint64_t base_ = 0;
  std::uint64_t root_address_ = kUndefined;
  unsigned address_bytes_ = 8;
  unsigned size_field_bytes_ = 8;
  std::uint64_t seeks_left_ = kMaxSeekCount;
};

}  // namespace weightfs::format
