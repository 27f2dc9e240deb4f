#include "hdf5_btree2.h"

#include <bit>
#include <vector>

#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

// Signature, version, type and checksum of a node.
constexpr std::uint64_t kNodeOverheadBytes = 10;
constexpr unsigned kMaxDepth = 16;

// Bytes that hold any number up to `limit`.
unsigned bytes_for(std::uint64_t limit) {
  return limit == 0 ? 1 : (static_cast<unsigned>(std::bit_width(limit)) - 1) / 8 + 1;
}

// What a node of one depth can hold; depth 0 are the leaves.
struct Level {
  std::uint64_t max_records = 0;
  std::uint64_t max_subtree_records = 0;
  unsigned subtree_count_bytes = 0;
};

class Tree {
 public:
  Tree(Hdf5Reader& reader, const std::function<void(unsigned)>& record)
      : reader_(reader), record_(record) {}

  void walk(std::uint64_t address) {
    reader_.seek(address);
    if (!reader_.signature("BTHD")) return;
    reader_.skip(2);  // version, type
    const std::uint64_t node_bytes = reader_.u32();
    record_bytes_ = reader_.u16();
    const unsigned depth = reader_.u16();
    reader_.skip(2);  // when to split and to merge
    const std::uint64_t root = reader_.address_field();
    const std::uint64_t count = reader_.u16();
    if (root == Hdf5Reader::kUndefined || reader_.failed()) return;
    if (depth > kMaxDepth || record_bytes_ == 0 || !fill_levels(node_bytes, depth)) {
      return reader_.set_failed();
    }
    walk_node({.address = root, .record_count = count}, depth);
  }

 private:
  struct Child {
    std::uint64_t address;
    std::uint64_t record_count;
  };

  bool fill_levels(std::uint64_t node_bytes, unsigned depth) {
    if (node_bytes < kNodeOverheadBytes + record_bytes_) return false;
    Level leaf;
    leaf.max_records = (node_bytes - kNodeOverheadBytes) / record_bytes_;
    leaf.max_subtree_records = leaf.max_records;
    levels_.push_back(leaf);
    for (unsigned d = 1; d <= depth; ++d) {
      const std::uint64_t pointer_bytes = child_bytes(d);
      if (node_bytes < kNodeOverheadBytes + 2 * pointer_bytes + record_bytes_) return false;
      Level level;
      level.max_records =
          (node_bytes - kNodeOverheadBytes - pointer_bytes) / (record_bytes_ + pointer_bytes);
      const auto below =
          checked_multiply(level.max_records + 1, levels_[d - 1].max_subtree_records);
      if (!below) return false;
      level.max_subtree_records = *below + level.max_records;
      level.subtree_count_bytes = bytes_for(level.max_subtree_records);
      levels_.push_back(level);
    }
    return true;
  }

  // A pointer to a child: its address, its records, and those below it where it is not a leaf.
  std::uint64_t child_bytes(unsigned depth) const {
    return reader_.address_bytes() + bytes_for(levels_[0].max_records) +
           levels_[depth - 1].subtree_count_bytes;
  }

  void walk_node(Child node, unsigned depth) {
    if (reader_.failed() || node.record_count > levels_[depth].max_records) {
      return reader_.set_failed();
    }
    reader_.seek(node.address);
    if (!reader_.signature(depth == 0 ? "BTLF" : "BTIN")) return;
    reader_.skip(2);
    const std::uint64_t records = reader_.address();
    if (depth > 0) walk_children(records, node.record_count, depth);
    for (std::uint64_t i = 0; i < node.record_count && !reader_.failed(); ++i) {
      reader_.seek(records + i * record_bytes_);
      record_(record_bytes_);
    }
  }

  void walk_children(std::uint64_t records, std::uint64_t record_count, unsigned depth) {
    const std::uint64_t pointers = records + record_count * record_bytes_;
    for (std::uint64_t i = 0; i <= record_count && !reader_.failed(); ++i) {
      reader_.seek(pointers + i * child_bytes(depth));
      const std::uint64_t address = reader_.address_field();
      const std::uint64_t count = reader_.sized(bytes_for(levels_[0].max_records));
      walk_node({.address = address, .record_count = count}, depth - 1);
    }
  }

  Hdf5Reader& reader_;
  const std::function<void(unsigned)>& record_;
  unsigned record_bytes_ = 0;
  std::vector<Level> levels_;
};

}  // namespace

void for_each_btree2_record(Hdf5Reader& reader, std::uint64_t tree_address,
                            const std::function<void(unsigned record_bytes)>& record) {
  Tree(reader, record).walk(tree_address);
}

}  // namespace weightfs::format
