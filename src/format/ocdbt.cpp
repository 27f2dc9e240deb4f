// OCDBT, the key-value store in which Orbax keeps its arrays. Its nodes, and by default the arrays
// in them, are compressed: the files are known, and opaque.
// https://google.github.io/tensorstore/kvstore/ocdbt
#include "parsers.h"

namespace weightfs::format {
namespace {

// Big-endian marks at the start of a manifest, a B-tree node and a version node.
constexpr std::uint32_t kManifest = 0x0cdb3a2a;
constexpr std::uint32_t kBtreeNode = 0x0cdb20de;
constexpr std::uint32_t kVersionNode = 0x0cdb1234;

class OcdbtParser final : public Parser {
 public:
  std::string_view name() const override { return "ocdbt"; }

  Confidence detect(const ParseInput& input) const override {
    ByteReader in(input.head);
    const auto mark = in.big_endian<std::uint32_t>();
    const std::uint64_t length_bytes = in.u64();
    const bool is_node = mark == kManifest || mark == kBtreeNode || mark == kVersionNode;
    const bool fits = !in.failed() && length_bytes <= input.source.size_bytes();
    return is_node && fits ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    Layout layout = opaque_layout(input.source.size_bytes(), "OCDBT compresses what it holds");
    layout.format = name();
    return layout;
  }
};

}  // namespace

const Parser& ocdbt_parser() {
  static const OcdbtParser kParser;
  return kParser;
}

}  // namespace weightfs::format
