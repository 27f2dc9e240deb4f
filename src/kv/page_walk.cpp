#include "page_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "weightfs/base/fd.h"

namespace weightfs::kv {
namespace {

constexpr std::uint16_t kBranchPage = 0x01;
constexpr std::uint16_t kLeafPage = 0x02;
constexpr std::uint16_t kOverflowPage = 0x04;
constexpr std::uint16_t kDirtyPage = 0x10;  // only in memory
constexpr std::uint16_t kBigData = 0x01;    // the value is the number of its first page
constexpr std::uint16_t kSubTree = 0x02;    // the value is an MDB_db
constexpr std::size_t kNodeHeaderBytes = 8;
constexpr std::uint64_t kFirstDataPage = 2;
constexpr std::size_t kMaxKeyBytes = 511;
constexpr std::uint16_t kMaxDepth = 32;  // of LMDB's cursors

enum class TreeKind { free_pages, names, table };

// A page to look at, and the levels of its tree from it down.
struct Visit {
  std::uint64_t page;
  std::uint16_t levels;
  TreeKind kind;
};

// A node of a page: a key, and a value or (in a branch) the page below.
struct Node {
  std::uint16_t flags = 0;
  std::uint64_t child = 0;
  std::uint32_t value_bytes = 0;
  ByteSpan inside;  // what lies in the page behind the key: the value, or its first page's number
  std::size_t size_bytes = 0;
};

std::uint16_t u16_at(ByteSpan page, std::size_t offset) {
  return load_unaligned<std::uint16_t>(page.data() + offset);
}

std::uint64_t pages_for(std::uint64_t value_bytes, std::uint64_t page_bytes) {
  return (kPageHeaderBytes - 1 + value_bytes) / page_bytes + 1;
}

class PageWalk {
 public:
  PageWalk(int fd, std::uint64_t file_bytes, const MetaPage& meta, const PageWalkOptions& options)
      : fd_(fd),
        file_page_count_(file_bytes / meta.page_bytes),
        meta_(meta),
        options_(options),
        used_(std::min(meta.last_page + 1, file_page_count_)),
        page_(meta.page_bytes) {}

  Status run() {
    WEIGHTFS_TRY(plan(meta_.free_tree, TreeKind::free_pages));
    WEIGHTFS_TRY(plan(meta_.main_tree, TreeKind::names));
    for (std::uint64_t seen = 0; !visits_.empty(); ++seen) {
      if (seen == options_.max_page_count) return {};
      const Visit visit = visits_.back();
      visits_.pop_back();
      WEIGHTFS_TRY(look_at(visit));
    }
    return check_free_pages();
  }

 private:
  static tl::unexpected<Error> fail_page(std::uint64_t page, std::string_view what) {
    return fail(Code::corrupt,
                fmt::format("page {} of data.mdb is damaged ({}): restore the store from a copy",
                            page, what));
  }

  Status plan(const TreeRoot& tree, TreeKind kind) {
    if (tree.root == kNoPage && tree.depth == 0) return {};
    if (tree.depth == 0 || tree.depth > kMaxDepth) return fail_page(tree.root, "a tree's depth");
    visits_.push_back({tree.root, tree.depth, kind});
    return {};
  }

  // Marks pages as used, each by one thing only.
  Status claim(std::uint64_t first, std::uint64_t count) {
    const bool fits = first >= kFirstDataPage && first <= meta_.last_page && count > 0 &&
                      count <= meta_.last_page - first + 1;
    if (!fits) return fail_page(first, "not a page of the database");
    if (first + count > file_page_count_) return fail_page(first, "the file is truncated");
    for (std::uint64_t page = first; page < first + count; ++page) {
      if (used_[page]) return fail_page(page, "used twice");
      used_[page] = true;
    }
    return {};
  }

  Status look_at(const Visit& visit) {
    WEIGHTFS_TRY(claim(visit.page, 1));
    WEIGHTFS_TRY(read_exactly(fd_, visit.page * meta_.page_bytes, page_));
    const std::uint16_t flags = visit.levels > 1 ? kBranchPage : kLeafPage;
    if (load_unaligned<std::uint64_t>(page_.data()) != visit.page || u16_at(page_, 10) != flags) {
      return fail_page(visit.page, "its header");
    }
    const std::size_t lower = u16_at(page_, 12);
    const std::size_t upper = u16_at(page_, 14);
    if (lower <= kPageHeaderBytes || lower % 2 != 0 || lower > upper || upper > page_.size()) {
      return fail_page(visit.page, "its bounds");
    }
    std::size_t nodes_bytes = 0;
    for (std::size_t at = kPageHeaderBytes; at < lower; at += 2) {
      WEIGHTFS_ASSIGN(const Node node, parse_node(visit, u16_at(page_, at), upper));
      nodes_bytes += node.size_bytes;
      WEIGHTFS_TRY(follow(visit, node));
    }
    if (nodes_bytes > page_.size() - upper) return fail_page(visit.page, "its nodes overlap");
    return {};
  }

  Result<Node> parse_node(const Visit& visit, std::size_t offset, std::size_t upper) const {
    if (offset < upper || offset % 2 != 0 || offset > page_.size() - kNodeHeaderBytes) {
      return fail_page(visit.page, "a node's place");
    }
    ByteReader in(ByteSpan(page_).subspan(offset));
    Node node;
    const std::uint32_t low = in.u32();
    node.flags = in.u16();
    const std::uint16_t key_bytes = in.u16();
    in.skip(key_bytes);
    if (visit.levels > 1) {
      node.child = low | std::uint64_t{node.flags} << 32;
    } else {
      node.value_bytes = low;
      node.inside = in.bytes((node.flags & kBigData) != 0 ? sizeof(std::uint64_t) : low);
      if (visit.kind == TreeKind::free_pages && key_bytes != sizeof(std::uint64_t)) {
        return fail_page(visit.page, "a transaction's number");
      }
    }
    if (in.failed() || key_bytes > kMaxKeyBytes) return fail_page(visit.page, "a node's size");
    node.size_bytes = (in.position() + 1) / 2 * 2;
    return node;
  }

  Status follow(const Visit& visit, const Node& node) {
    if (visit.levels > 1) {
      visits_.push_back({node.child, static_cast<std::uint16_t>(visit.levels - 1), visit.kind});
      return {};
    }
    const std::uint16_t allowed = visit.kind == TreeKind::names ? kSubTree : kBigData;
    if ((node.flags & ~allowed) != 0) return fail_page(visit.page, "a node's flags");
    if ((node.flags & kSubTree) != 0) return follow_table(visit, node);
    if ((node.flags & kBigData) != 0) WEIGHTFS_TRY(claim_value(node));
    if (visit.kind == TreeKind::free_pages) return collect_free_pages(visit, node);
    return {};
  }

  Status follow_table(const Visit& visit, const Node& node) {
    if (node.inside.size() != kTreeBytes) return fail_page(visit.page, "a table");
    ByteReader in(node.inside);
    const TreeRoot tree = parse_tree(in);
    if (tree.flags != 0) return fail_page(visit.page, "a table's flags");
    return plan(tree, TreeKind::table);
  }

  // The first page of a value that has pages of its own, and how many it needs.
  Status claim_value(const Node& node) {
    const auto first = load_unaligned<std::uint64_t>(node.inside.data());
    std::uint64_t count = pages_for(node.value_bytes, meta_.page_bytes);
    if (options_.looks_at_values) {
      WEIGHTFS_TRY(check_range(first, count));
      WEIGHTFS_ASSIGN(count, value_page_count(first, count));
    }
    return claim(first, count);
  }

  Status check_range(std::uint64_t first, std::uint64_t count) const {
    if (first < file_page_count_ && count <= file_page_count_ - first) return {};
    return fail_page(first, "not in the file");
  }

  // A value that became shorter in place keeps its pages.
  Result<std::uint64_t> value_page_count(std::uint64_t first, std::uint64_t needed) const {
    std::byte header[kPageHeaderBytes];
    WEIGHTFS_TRY(read_exactly(fd_, first * meta_.page_bytes, header));
    const std::uint64_t count = load_unaligned<std::uint32_t>(header + 12);
    if (load_unaligned<std::uint64_t>(header) != first || u16_at(header, 10) != kOverflowPage ||
        count < needed) {
      return fail_page(first, "a value's header");
    }
    return count;
  }

  // A list of free pages: a count, then as many numbers, descending.
  Status collect_free_pages(const Visit& visit, const Node& node) {
    ByteVector value(node.inside.begin(), node.inside.end());
    if ((node.flags & kBigData) != 0) {
      const auto first = load_unaligned<std::uint64_t>(node.inside.data());
      value.resize(node.value_bytes);
      WEIGHTFS_TRY(read_exactly(fd_, first * meta_.page_bytes + kPageHeaderBytes, value));
    }
    ByteReader in(value);
    std::uint64_t above = meta_.last_page + 1;
    for (std::uint64_t left = in.u64(); left > 0; --left) {
      const std::uint64_t page = in.u64();
      if (in.failed() || page < kFirstDataPage || page >= above) {
        return fail_page(visit.page, "a list of free pages");
      }
      free_pages_.push_back(page);
      above = page;
    }
    return in.failed() ? fail_page(visit.page, "a list of free pages") : Status();
  }

  Status check_free_pages() {
    for (const std::uint64_t page : free_pages_) {
      if (page >= used_.size()) continue;  // LMDB does not write pages that a transaction gave up
      if (used_[page]) return fail_page(page, "both used and free");
      used_[page] = true;
    }
    return {};
  }

  const int fd_;
  const std::uint64_t file_page_count_;
  const MetaPage& meta_;
  const PageWalkOptions& options_;
  std::vector<Visit> visits_;
  std::vector<bool> used_;  // of the pages in the file
  std::vector<std::uint64_t> free_pages_;
  ByteVector page_;
};

}  // namespace

std::uint64_t pages_of_value(std::size_t key_bytes, std::size_t value_bytes,
                             std::uint64_t page_bytes) {
  // LMDB's me_nodemax: two nodes fit into a page.
  const std::uint64_t max_node_bytes = (page_bytes - kPageHeaderBytes) / 2 / 2 * 2 - 2;
  const bool is_inside = kNodeHeaderBytes + key_bytes + value_bytes <= max_node_bytes;
  return is_inside ? 0 : pages_for(value_bytes, page_bytes);
}

bool can_free_value(ByteSpan value, std::uint64_t page_count) {
  const std::byte* header = value.data() - kPageHeaderBytes;
  const auto flags = load_unaligned<std::uint16_t>(header + 10);
  return (flags & ~kDirtyPage) == kOverflowPage &&
         load_unaligned<std::uint32_t>(header + 12) == page_count;
}

Status walk_pages(int fd, std::uint64_t file_bytes, const MetaPage& meta,
                  const PageWalkOptions& options) {
  return PageWalk(fd, file_bytes, meta, options).run();
}

}  // namespace weightfs::kv
