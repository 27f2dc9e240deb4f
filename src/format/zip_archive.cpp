// Zip files: PyTorch's, npz, and any other whose stored members are files that some parser knows
// (Stable-Baselines3 has zips in zips).
#include <algorithm>

#include "layout_builder.h"
#include "nested.h"
#include "parsers.h"
#include "torch_zip.h"
#include "zip.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kArraySuffix = ".npy";

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

class ZipParser final : public Parser {
 public:
  std::string_view name() const override { return "zip"; }

  Confidence detect(const ParseInput& input) const override {
    return looks_like_zip(input.head) ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(const std::vector<ZipMember> members, read_zip_directory(input.source));
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
