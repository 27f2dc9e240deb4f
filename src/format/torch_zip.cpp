#include "torch_zip.h"

#include <unordered_map>

#include "layout_builder.h"
#include "numpy_pickle.h"
#include "pickle_machine.h"
#include "source_io.h"
#include "torch_tensors.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kPickle = "data.pkl";
constexpr std::uint64_t kMaxRecordBytes = 64;

struct Archive {
  const ParseInput& input;
  const std::vector<ZipMember>& members;
  std::string root;  // "<archive name>/", or nothing
};

// The member that is the archive's pickle: of several, the one nearest to the root.
const ZipMember* find_pickle(const std::vector<ZipMember>& members) {
  const ZipMember* best = nullptr;
  for (const ZipMember& member : members) {
    const bool is_pickle = member.name == kPickle || member.name.ends_with("/data.pkl");
    if (is_pickle && (best == nullptr || member.name.size() < best->name.size())) best = &member;
  }
  return best;
}

// A short text member ("version", "byteorder"), or nothing.
std::string read_record(const Archive& archive, std::string_view name) {
  const ZipMember* member = find_member(archive.members, archive.root + std::string(name));
  if (member == nullptr || !member->is_stored || member->length_bytes > kMaxRecordBytes) return {};
  const auto bytes = read_range(archive.input.source, member->offset_bytes, member->length_bytes);
  if (!bytes) return {};
  const std::string_view text = text_of(*bytes);
  return std::string(text.substr(0, text.find_last_not_of(" \r\n") + 1));
}

// The members of one folder by what follows its name.
std::unordered_map<std::string_view, ByteRange> storages_in(const Archive& archive,
                                                            const std::string& folder) {
  const bool is_big_endian = read_record(archive, "byteorder") == "big";
  std::unordered_map<std::string_view, ByteRange> storages;
  for (const ZipMember& member : archive.members) {
    if (!member.name.starts_with(folder)) continue;
    const ByteRange range{.offset_bytes = member.offset_bytes,
                          .length_bytes = member.length_bytes,
                          .is_opaque = !member.is_stored,
                          .is_big_endian = is_big_endian};
    storages.emplace(std::string_view(member.name).substr(folder.size()), range);
  }
  return storages;
}

// The tensors of "<stem>.pkl", whose storages lie in "<stem>/".
Status add_pickle(const Archive& archive, const std::string& stem, LayoutBuilder& builder) {
  const ZipMember* pickle = find_member(archive.members, archive.root + stem + ".pkl");
  if (pickle == nullptr) return {};
  if (!pickle->is_stored) return fail(Code::invalid, "the pickle is compressed");
  SourceReader in(archive.input.source, pickle->offset_bytes,
                  pickle->offset_bytes + pickle->length_bytes);
  PickleHeap heap;
  WEIGHTFS_ASSIGN(const PickleRef root, read_pickle(in, heap));
  WEIGHTFS_ASSIGN(std::vector<TorchTensor> tensors, find_torch_tensors(heap, root));
  const auto storages = storages_in(archive, archive.root + stem + "/");
  const auto locate = [&](std::string_view key) {
    const auto found = storages.find(key);
    return found == storages.end() ? nullptr : &found->second;
  };
  WEIGHTFS_TRY(add_torch_tensors(std::move(tensors), locate, builder));
  return add_numpy_arrays(heap, root, builder);
}

void add_records(const Archive& archive, LayoutBuilder& builder) {
  for (const std::string_view name : {"version", "byteorder", ".format_version"}) {
    const std::string value = read_record(archive, name);
    if (!value.empty()) builder.add_metadata(name, value);
  }
}

}  // namespace

bool is_torch_archive(const std::vector<ZipMember>& members) {
  return find_pickle(members) != nullptr;
}

Result<Layout> torch_zip_layout(const ParseInput& input, const std::vector<ZipMember>& members) {
  const std::string& pickle = find_pickle(members)->name;
  const Archive archive{
      .input = input, .members = members, .root = pickle.substr(0, pickle.size() - kPickle.size())};
  const bool is_script = find_member(members, archive.root + "constants.pkl") != nullptr;
  LayoutBuilder builder(is_script ? "torchscript" : "pytorch-zip", input.source.size_bytes());
  add_records(archive, builder);
  WEIGHTFS_TRY(add_pickle(archive, "data", builder));
  WEIGHTFS_TRY(add_pickle(archive, "constants", builder));
  return std::move(builder).finish();
}

}  // namespace weightfs::format
