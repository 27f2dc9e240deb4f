#include "hdf5_group.h"

#include "hdf5_btree2.h"
#include "hdf5_heap.h"

namespace weightfs::format {
namespace {

constexpr int kMaxTreeDepth = 16;

class LinkReader {
 public:
  explicit LinkReader(Hdf5Reader& reader) : reader_(reader) {}

  std::vector<Hdf5Link> read(const std::vector<Hdf5Message>& messages) {
    for (const Hdf5Message& message : messages) {
      if (message.is_shared()) continue;
      if (message.type == Hdf5MessageType::symbol_table) read_symbol_table(message);
      if (message.type == Hdf5MessageType::link) read_link(message.address);
      if (message.type == Hdf5MessageType::link_info) read_dense_links(message);
    }
    return std::move(links_);
  }

 private:
  void add(Hdf5Link link) {
    if (links_.size() >= kMaxLinkCount) return reader_.set_failed();
    if (!reader_.failed()) links_.push_back(std::move(link));
  }

  void read_symbol_table(const Hdf5Message& message) {
    reader_.seek(message.address);
    const std::uint64_t tree = reader_.address_field();
    const std::uint64_t heap = reader_.address_field();
    reader_.seek(heap);
    if (!reader_.signature("HEAP")) return;
    reader_.skip(4 + 2 * std::uint64_t{reader_.size_field_bytes()});
    names_address_ = reader_.address_field();
    read_tree(tree, kMaxTreeDepth);
  }

  // A version 1 B-tree: keys (which are not needed here) between the addresses of the children.
  void read_tree(std::uint64_t address, int depth_left) {
    reader_.seek(address);
    if (depth_left == 0) return reader_.set_failed();
    if (!reader_.signature("TREE")) return;
    if (reader_.u8() != 0) return reader_.set_failed();
    const unsigned level = reader_.u8();
    const unsigned entry_count = reader_.u16();
    reader_.skip(2 * std::uint64_t{reader_.address_bytes()});
    const std::uint64_t entries = reader_.address();
    const unsigned entry_bytes = reader_.size_field_bytes() + reader_.address_bytes();
    for (unsigned i = 0; i < entry_count && !reader_.failed(); ++i) {
      reader_.seek(entries + std::uint64_t{i} * entry_bytes + reader_.size_field_bytes());
      const std::uint64_t child = reader_.address_field();
      if (level > 0) {
        read_tree(child, depth_left - 1);
      } else {
        read_symbol_node(child);
      }
    }
  }

  void read_symbol_node(std::uint64_t address) {
    reader_.seek(address);
    if (!reader_.signature("SNOD")) return;
    reader_.skip(2);
    const unsigned symbol_count = reader_.u16();
    const std::uint64_t symbols = reader_.address();
    const unsigned symbol_bytes = 2 * reader_.address_bytes() + 24;
    for (unsigned i = 0; i < symbol_count && !reader_.failed(); ++i) {
      reader_.seek(symbols + std::uint64_t{i} * symbol_bytes);
      read_symbol();
    }
  }

  void read_symbol() {
    constexpr std::uint32_t kSymbolicLink = 2;
    const std::uint64_t name_offset = reader_.address_field();
    Hdf5Link link{.name = {}, .address = reader_.address_field()};
    if (reader_.u32() == kSymbolicLink) return;
    reader_.seek(names_address_ + name_offset);
    link.name = reader_.terminated_text();
    add(std::move(link));
  }

  // A link message, in a header or in a heap.
  void read_link(std::uint64_t address) {
    reader_.seek(address);
    if (reader_.u8() != 1) return;
    const std::uint8_t flags = reader_.u8();
    const bool is_hard = (flags & 0x08) == 0 || reader_.u8() == 0;
    if (!is_hard) return;
    if ((flags & 0x04) != 0) reader_.skip(8);  // creation order
    if ((flags & 0x10) != 0) reader_.skip(1);  // character set
    const std::uint64_t name_bytes = reader_.sized(1U << (flags & 3));
    Hdf5Link link{.name = reader_.text(name_bytes), .address = 0};
    link.address = reader_.address_field();
    add(std::move(link));
  }

  void read_dense_links(const Hdf5Message& message) {
    reader_.seek(message.address);
    reader_.skip(1);
    const std::uint8_t flags = reader_.u8();
    if ((flags & 1) != 0) reader_.skip(8);
    const std::uint64_t heap_address = reader_.address_field();
    const std::uint64_t tree_address = reader_.address_field();
    if (heap_address == Hdf5Reader::kUndefined || reader_.failed()) return;
    const auto heap = Hdf5FractalHeap::open(reader_, heap_address);
    if (!heap) return reader_.set_failed();
    for_each_btree2_record(reader_, tree_address, [&](unsigned) {
      reader_.skip(4);  // the name's hash
      if (const auto address = heap->locate(reader_)) read_link(*address);
    });
  }

  Hdf5Reader& reader_;
  std::uint64_t names_address_ = 0;
  std::vector<Hdf5Link> links_;
};

}  // namespace

std::vector<Hdf5Link> hdf5_links_of(Hdf5Reader& reader, const std::vector<Hdf5Message>& messages) {
  return LinkReader(reader).read(messages);
}

}  // namespace weightfs::format
