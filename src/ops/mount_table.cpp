#include "weightfs/ops/mount_table.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "weightfs/base/fd.h"

namespace weightfs::ops {
namespace {

constexpr std::string_view kFilesystemType = "fuse.weightfs";

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end != 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool is_octal(char digit) {
  return digit >= '0' && digit <= '7';
}

// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      plain += static_cast<char>(value);
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// proc(5): id parent major:minor root mount-point options tags... - type source super-options
std::optional<MountEntry> parse_line(std::string_view line) {
  const std::vector<std::string_view> fields = split(line, ' ');
  const auto separator = std::find(fields.begin(), fields.end(), "-");
  if (separator - fields.begin() < 6 || fields.end() - separator < 3) return std::nullopt;
  if (separator[1] != kFilesystemType) return std::nullopt;
  return MountEntry{.mount_point = unescape(fields[4]),
                    .store_path = unescape(separator[2]),
                    .device = std::string(fields[2])};
}

bool lies_within(const std::string& path, const std::string& directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// The last mount for which `matches` is true: the topmost, where several are stacked.
template <class Predicate>
Result<std::optional<MountEntry>> last_mount(const Predicate& matches) {
  WEIGHTFS_ASSIGN(const std::vector<MountEntry> mounts, list_mounts());
  const auto found = std::find_if(mounts.rbegin(), mounts.rend(), matches);
  if (found == mounts.rend()) return std::optional<MountEntry>();
  return std::optional<MountEntry>(*found);
}

}  // namespace

std::vector<MountEntry> parse_mounts(std::string_view mountinfo) {
  std::vector<MountEntry> mounts;
  for (const std::string_view line : split(mountinfo, '\n')) {
    if (auto entry = parse_line(line)) mounts.push_back(std::move(*entry));
  }
  return mounts;
}

Result<std::vector<MountEntry>> list_mounts() {
  WEIGHTFS_ASSIGN(const std::string text, read_whole_file("/proc/self/mountinfo"));
  return parse_mounts(text);
}

Result<std::optional<MountEntry>> mount_at(const std::string& path) {
  WEIGHTFS_ASSIGN(const std::string absolute, absolute_path(path));
  return last_mount([&](const MountEntry& entry) { return entry.mount_point == absolute; });
}

Result<std::optional<MountEntry>> mount_containing(const std::string& path) {
  WEIGHTFS_ASSIGN(const std::string absolute, absolute_path(path));
  WEIGHTFS_ASSIGN(const std::vector<MountEntry> mounts, list_mounts());
  std::optional<MountEntry> deepest;
  for (const MountEntry& entry : mounts) {
    if (!lies_within(absolute, entry.mount_point)) continue;
    if (!deepest || entry.mount_point.size() >= deepest->mount_point.size()) deepest = entry;
  }
  return deepest;
}

Result<std::optional<MountEntry>> mount_of_store(const std::string& path) {
  WEIGHTFS_ASSIGN(const std::string absolute, absolute_path(path));
  return last_mount([&](const MountEntry& entry) { return entry.store_path == absolute; });
}

Result<std::string> absolute_path(const std::string& path) {
  if (path.empty()) return fail(Code::invalid, "an empty path");
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return fail_errno(error.value(), "can't make " + path + " absolute");
  const auto resolved = std::filesystem::weakly_canonical(absolute, error);
  absolute = error ? absolute.lexically_normal() : resolved;
  std::string text = absolute.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace weightfs::ops
