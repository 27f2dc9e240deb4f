#include "hdf5_object.h"

#include <algorithm>

#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

// A run of messages: the header's own, or one that a continuation message leads to.
struct Block {
  std::uint64_t address;
  std::uint64_t length_bytes;
};

class HeaderReader {
 public:
  explicit HeaderReader(Hdf5Reader& reader) : reader_(reader) {}

  std::vector<Hdf5Message> read(std::uint64_t address) {
    reader_.seek(address);
    const std::uint8_t first = reader_.u8();
    reader_.seek(address);
    if (first == 1) {
      read_version_1(address);
    } else {
      read_version_2(address);
    }
    // read_block() may append blocks.
    for (std::size_t i = 0; i < blocks_.size() && !reader_.failed(); ++i) read_block(blocks_[i]);
    if (reader_.failed()) messages_.clear();
    return std::move(messages_);
  }

 private:
  void read_version_1(std::uint64_t address) {
    constexpr std::uint64_t kPrefixBytes = 16;
    reader_.skip(8);  // version, message count, reference count
    blocks_.push_back({address + kPrefixBytes, reader_.u32()});
    prefix_bytes_ = 8;
  }

  void read_version_2(std::uint64_t address) {
    if (!reader_.signature("OHDR") || reader_.u8() != 2) return reader_.set_failed();
    const std::uint8_t flags = reader_.u8();
    is_version_2_ = true;
    prefix_bytes_ = (flags & 0x04) != 0 ? 6 : 4;
    if ((flags & 0x20) != 0) reader_.skip(16);  // times
    if ((flags & 0x10) != 0) reader_.skip(4);   // when attributes become dense
    const std::uint64_t length_bytes = reader_.sized(1U << (flags & 3));
    if (reader_.failed() || reader_.address() < address) return reader_.set_failed();
    blocks_.push_back({reader_.address(), length_bytes});
  }

  void read_block(Block block) {
    std::uint64_t position = block.address;
    const auto end = checked_add(block.address, block.length_bytes);
    if (!end) return reader_.set_failed();
    while (!reader_.failed() && *end - position >= prefix_bytes_) {
      if (messages_.size() >= kMaxMessageCount) return reader_.set_failed();
      reader_.seek(position);
      const Hdf5Message message = read_prefix(position);
      if (message.length_bytes > *end - message.address) return reader_.set_failed();
      messages_.push_back(message);
      if (message.type == Hdf5MessageType::continuation) follow(message);
      position = message.address + message.length_bytes;
    }
  }

  Hdf5Message read_prefix(std::uint64_t position) {
    Hdf5Message message;
    const std::uint16_t type = is_version_2_ ? reader_.u8() : reader_.u16();
    message.type = static_cast<Hdf5MessageType>(type);
    message.length_bytes = reader_.u16();
    message.flags = reader_.u8();
    message.address = position + prefix_bytes_;
    return message;
  }

  void follow(const Hdf5Message& continuation) {
    constexpr std::size_t kMaxBlockCount = 4096;
    reader_.seek(continuation.address);
    Block block{.address = reader_.address_field(), .length_bytes = reader_.size_field()};
    if (blocks_.size() >= kMaxBlockCount) return reader_.set_failed();
    if (is_version_2_) strip_signature(block);
    blocks_.push_back(block);
  }

  // A version 2 block is "OCHK", messages, and a checksum.
  void strip_signature(Block& block) {
    if (block.length_bytes < 8) return reader_.set_failed();
    reader_.seek(block.address);
    (void)reader_.signature("OCHK");
    block.address += 4;
    block.length_bytes -= 8;
  }

  Hdf5Reader& reader_;
  bool is_version_2_ = false;
  std::uint64_t prefix_bytes_ = 8;
  std::vector<Block> blocks_;
  std::vector<Hdf5Message> messages_;
};

}  // namespace

std::vector<Hdf5Message> hdf5_messages_of(Hdf5Reader& reader, std::uint64_t address) {
  return HeaderReader(reader).read(address);
}

const Hdf5Message* find_message(const std::vector<Hdf5Message>& messages, Hdf5MessageType type) {
  const auto found = std::find_if(messages.begin(), messages.end(),
                                  [type](const Hdf5Message& m) { return m.type == type; });
  return found == messages.end() ? nullptr : &*found;
}

}  // namespace weightfs::format
