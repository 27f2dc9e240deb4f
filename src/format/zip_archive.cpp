// Zip files: PyTorch's, npz, and any other whose stored members are files that some parser knows
// (Stable-Baselines3 has zips in zips). And several of them, one behind the other: a distributed
// checkpoint of PyTorch (torch/distributed/checkpoint/filesystem.py) is one for each tensor.
#include <algorithm>
#include <unordered_map>

#include "bounds.h"
#include "layout_builder.h"
#include "nested.h"
#include "parsers.h"
#include "source_io.h"
#include "torch_distributed.h"
#include "torch_export.h"
#include "torch_zip.h"
#include "zip.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kArraySuffix = ".npy";
constexpr std::string_view kDistributedSuffix = ".distcp";

bool holds_only_arrays(const std::vector<ZipMember>& members) {
  return !members.empty() &&
         std::all_of(members.begin(), members.end(),
                     [](const ZipMember& member) { return member.name.ends_with(kArraySuffix); });
}

// numpy.load leaves the suffix out of an array's name.
std::string_view shown_name(std::string_view name, bool is_npz) {
  if (is_npz) name.remove_suffix(kArraySuffix.size());
  return name;
}

Result<Layout> members_layout(const ParseInput& input, const std::vector<ZipMember>& members) {
  const bool is_npz = holds_only_arrays(members);
  LayoutBuilder builder(is_npz ? "npz" : "zip", input.source.size_bytes());
  builder.add_metadata("members", std::to_string(members.size()));
  for (const ZipMember& member : members) {
    const std::string_view name = shown_name(member.name, is_npz);
    if (!member.is_stored) {
      builder.set_opaque_reason(std::string(name) + " is compressed");
      continue;
    }
    const Layout nested = parse_nested(input, {.offset_bytes = member.offset_bytes,
                                               .length_bytes = member.length_bytes,
                                               .name = member.name});
    builder.add_nested(nested, member.offset_bytes, name);
  }
  return std::move(builder).finish();
}

struct ArchiveRange {
  std::uint64_t begin_bytes = 0;
  std::uint64_t end_bytes = 0;
};

// The archives that follow each other up to the end of the file, in their order. What lies before
// them is left.
Result<std::vector<ArchiveRange>> find_archives(const ByteSource& source) {
  std::vector<ArchiveRange> archives;
  for (std::uint64_t end = source.size_bytes(); end > 0 && archives.size() < kMaxTensors;) {
    const SliceSource slice(source, 0, end);
    const Result<std::uint64_t> begin = find_zip_begin(slice);
    if (!begin && archives.empty()) return tl::unexpected(begin.error());
    if (!begin || *begin >= end) break;
    archives.push_back({.begin_bytes = *begin, .end_bytes = end});
    end = *begin;
  }
  if (archives.empty()) return fail(Code::invalid, "no zip archive ends here");
  std::reverse(archives.begin(), archives.end());
  return archives;
}

using Names = std::unordered_map<std::uint64_t, std::string>;

Result<Layout> sequence_layout(const ParseInput& input, const std::vector<ArchiveRange>& archives,
                               const Names& names) {
  std::vector<Layout> layouts;
  for (std::size_t i = 0; i < archives.size(); ++i) {
    const std::uint64_t begin = archives[i].begin_bytes;
    layouts.push_back(parse_nested(
        input, {.offset_bytes = begin, .length_bytes = archives[i].end_bytes - begin, .name = {}}));
  }
  const bool is_checkpoint = std::ranges::all_of(
      layouts, [](const Layout& layout) { return layout.format == "pytorch-zip"; });
  LayoutBuilder builder(is_checkpoint ? "pytorch-distributed" : "zip", input.source.size_bytes());
  builder.add_metadata("archives", std::to_string(archives.size()));
  for (std::size_t i = 0; i < archives.size(); ++i) {
    const auto found = names.find(archives[i].begin_bytes);
    builder.add_nested(layouts[i], archives[i].begin_bytes,
                       found == names.end() ? std::to_string(i) : found->second);
  }
  return std::move(builder).finish();
}

class ZipParser final : public Parser {
 public:
  std::string_view name() const override { return "zip"; }

  Confidence detect(const ParseInput& input) const override {
    return looks_like_zip(input.head) ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(const std::vector<ArchiveRange> archives, find_archives(input.source));
    if (archives.front().begin_bytes > 0 || archives.size() > 1) {
      return sequence_layout(input, archives, distributed_names(input));
    }
    if (input.name.ends_with(kDistributedSuffix)) {
      const Names names = distributed_names(input);
      if (!names.empty()) return sequence_layout(input, archives, names);
    }
    WEIGHTFS_ASSIGN(const std::vector<ZipMember> members, read_zip_directory(input.source));
    if (is_torch_export(members)) return torch_export_layout(input, members);
    return is_torch_archive(members) ? torch_zip_layout(input, members)
                                     : members_layout(input, members);
  }
};

}  // namespace

const Parser& zip_parser() {
  static const ZipParser kParser;
  return kParser;
}

}  // namespace weightfs::format
