#include <fmt/format.h>

#include "weightfs/fs/filesystem.h"
#include "weightfs/ops/file_storage.h"

namespace weightfs::ops {
namespace {

constexpr std::string_view kPrefix = "user.weightfs.";

std::string codecs_text(const FileStorage& storage) {
  std::string text;
  for (const CodecUse& use : storage.codecs) {
    text += fmt::format("{}{}:{}:{}:{}", text.empty() ? "" : " ", use.codec, use.blobs,
                        use.raw_bytes, use.encoded_bytes);
  }
  return text;
}

std::string sharers_text(const FileStorage& storage) {
  std::string text;
  for (const Sharer& sharer : storage.sharers) {
    text += fmt::format("{}{} {}", text.empty() ? "" : "\n", sharer.shared_bytes, sharer.path);
  }
  return text;
}

struct VirtualXattr {
  std::string_view name;
  std::string (*text)(const FileStorage& storage);
  bool needs_sharers = false;
};

constexpr VirtualXattr kVirtualXattrs[] = {
    {"stored", [](const FileStorage& s) { return std::to_string(s.stored_bytes); }},
    {"encoded", [](const FileStorage& s) { return std::to_string(s.encoded_bytes); }},
    {"blocks", [](const FileStorage& s) { return std::to_string(s.blocks); }},
    {"format", [](const FileStorage& s) { return s.format; }},
    {"sealed", [](const FileStorage& s) { return std::string(s.is_sealed ? "1" : "0"); }},
    {"codecs", codecs_text},
    {"shared", sharers_text, true},
};

}  // namespace

Result<std::optional<std::string>> virtual_xattr(fs::Filesystem& filesystem, fs::InodeNumber inode,
                                                 std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::optional<std::string>();
  name.remove_prefix(kPrefix.size());
  for (const VirtualXattr& attribute : kVirtualXattrs) {
    if (attribute.name != name) continue;
    FileStorageOptions options;
    if (!attribute.needs_sharers) options.max_sharers = 0;
    const auto storage = file_storage(filesystem, inode, options);
    if (!storage && storage.error().code == Code::invalid) return std::optional<std::string>();
    if (!storage) return tl::unexpected(storage.error());
    return attribute.text(*storage);
  }
  return std::optional<std::string>();
}

}  // namespace weightfs::ops
