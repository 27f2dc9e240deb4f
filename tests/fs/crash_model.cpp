#include "crash_model.h"

#include <fcntl.h>

#include <algorithm>

#include "weightfs/base/bytes.h"

namespace weightfs::fs {
namespace {

using Kind = Operation::Kind;

constexpr std::size_t kCellBytes = 16;
constexpr std::size_t kNameCount = 8;
constexpr std::uint64_t kLargestFileCells = 40'000;  // 640 kB
constexpr std::uint64_t kLargestWriteCells = 12'000;

std::uint64_t mixed(std::uint64_t value) {  // splitmix64
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

std::string name_of(std::size_t index) {
  return "file" + std::to_string(index);
}

std::string_view cell(const std::string& content, std::size_t at) {
  return std::string_view(content).substr(at, kCellBytes);
}

// Opens `name` in the root for one call of `use`.
template <class Use>
Status with_open_file(Filesystem& filesystem, const std::string& name, const Use& use) {
  WEIGHTFS_ASSIGN(const Attributes found, filesystem.lookup(kRootInode, name));
  WEIGHTFS_ASSIGN(const Handle handle, filesystem.open_file(found.inode, O_RDWR));
  Status done = use(handle, found.inode);
  filesystem.release(handle);
  filesystem.forget(found.inode, 1);
  return done;
}

Status perform_create(const std::string& name, Filesystem& filesystem) {
  WEIGHTFS_ASSIGN(const auto made, filesystem.create(kRootInode, name, 0644, O_RDWR, {}));
  filesystem.release(made.handle);
  filesystem.forget(made.attributes.inode, 1);
  return {};
}

Status copy_all(Filesystem& filesystem, Handle from, Handle to, std::uint64_t size_bytes) {
  for (std::uint64_t done = 0; done < size_bytes;) {
    WEIGHTFS_ASSIGN(const std::uint64_t copied,
                    filesystem.copy_range({.source = from,
                                           .source_offset_bytes = done,
                                           .target = to,
                                           .target_offset_bytes = done,
                                           .length_bytes = size_bytes - done}));
    if (copied == 0) return fail(Code::io, "the source of a copy ended early");
    done += copied;
  }
  return {};
}

Status perform_copy(const Operation& operation, Filesystem& filesystem) {
  WEIGHTFS_TRY(perform_create(operation.other, filesystem));
  return with_open_file(filesystem, operation.name, [&](Handle from, InodeNumber) {
    return with_open_file(filesystem, operation.other, [&](Handle to, InodeNumber) {
      return copy_all(filesystem, from, to, operation.length_bytes);
    });
  });
}

Status perform_on_handle(const Operation& operation, Filesystem& filesystem, Handle handle,
                         InodeNumber inode) {
  if (operation.kind == Kind::sync) return filesystem.sync(handle);
  if (operation.kind == Kind::truncate) {
    SetAttributes changes;
    changes.size_bytes = operation.length_bytes;
    WEIGHTFS_TRY(filesystem.set_attributes(inode, changes));
    return {};
  }
  if (operation.kind == Kind::punch) {
    return filesystem.allocate(handle, AllocateKind::punch_hole, operation.offset_bytes,
                               operation.length_bytes);
  }
  const std::string bytes =
      stamped_bytes(operation.stamp, operation.offset_bytes, operation.length_bytes);
  WEIGHTFS_TRY(filesystem.write(handle, operation.offset_bytes, bytes_of(bytes)));
  return {};
}

Status sync_root(Filesystem& filesystem) {
  WEIGHTFS_ASSIGN(const Handle root, filesystem.open_directory(kRootInode));
  Status done = filesystem.sync_directory(root);
  filesystem.release(root);
  return done;
}

}  // namespace

std::string stamped_bytes(std::uint64_t stamp, std::uint64_t offset_bytes,
                          std::uint64_t length_bytes) {
  ByteVector bytes(static_cast<std::size_t>(length_bytes));
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    store_unaligned(bytes.data() + at, mixed(mixed(stamp) ^ (offset_bytes + at)));
  }
  return std::string(text_of(bytes));
}

std::string Script::any_name() const {
  auto at = contents_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(random_() % contents_.size()));
  return at->first;
}

std::string Script::free_name() const {
  std::size_t index = random_() % kNameCount;
  while (contents_.contains(name_of(index))) index = (index + 1) % kNameCount;
  return name_of(index);
}

Operation Script::choose() {
  Operation chosen;
  chosen.stamp = mixed(random_()) + ++stamp_;
  const bool full = contents_.size() + 1 >= kNameCount;
  if (contents_.empty() || (!full && random_() % 6 == 0)) {
    chosen.kind = Kind::create;
    chosen.name = free_name();
    return chosen;
  }
  constexpr std::array kKinds{Kind::write,         Kind::write,  Kind::write, Kind::write,
                              Kind::truncate,      Kind::punch,  Kind::copy,  Kind::rename,
                              Kind::rename,        Kind::unlink, Kind::sync,  Kind::sync,
                              Kind::sync_directory};
  chosen.kind = random_() % 24 == 0 ? Kind::sync_all : kKinds[random_() % kKinds.size()];
  chosen.name = any_name();
  const std::string& content = contents_.at(chosen.name);
  chosen.offset_bytes =
      random_() % 3 == 0 ? content.size() : random_() % kLargestFileCells * kCellBytes;
  const std::uint64_t scale = std::uint64_t{1} << (random_() % 14);
  chosen.length_bytes = (1 + random_() % std::min(kLargestWriteCells, scale)) * kCellBytes;
  if (chosen.offset_bytes > kLargestFileCells * kCellBytes) chosen.offset_bytes = 0;
  if (chosen.kind == Kind::truncate) {
    chosen.length_bytes = random_() % 3 == 0 ? 0 : random_() % kLargestFileCells * kCellBytes;
  }
  if (chosen.kind == Kind::copy) {
    if (full) chosen.kind = Kind::unlink;
    chosen.other = full ? "" : free_name();
    chosen.length_bytes = content.size();
  }
  if (chosen.kind == Kind::rename) {
    chosen.other = random_() % 4 == 0 && !full ? free_name() : any_name();
    if (chosen.other == chosen.name) chosen.kind = Kind::sync_directory;
  }
  return chosen;
}

Operation Script::next() {
  Operation chosen = choose();
  replay(chosen, contents_);
  return chosen;
}

void replay(const Operation& operation, Contents& contents) {
  std::string& content = contents[operation.name];
  const auto offset = static_cast<std::size_t>(operation.offset_bytes);
  const auto length = static_cast<std::size_t>(operation.length_bytes);
  switch (operation.kind) {
    case Kind::create:
    case Kind::sync:
      break;
    case Kind::sync_directory:
    case Kind::sync_all:
      break;
    case Kind::write:
      content.resize(std::max(content.size(), offset + length));
      content.replace(offset, length, stamped_bytes(operation.stamp, offset, length));
      break;
    case Kind::truncate:
      content.resize(length);
      break;
    case Kind::punch:
      if (offset < content.size()) {
        const std::size_t end = std::min(content.size(), offset + length);
        std::fill(content.begin() + static_cast<std::ptrdiff_t>(offset),
                  content.begin() + static_cast<std::ptrdiff_t>(end), '\0');
      }
      break;
    case Kind::copy:
      contents[operation.other] = contents.at(operation.name);
      break;
    case Kind::rename:
      contents[operation.other] = std::move(content);
      contents.erase(operation.name);
      break;
    case Kind::unlink:
      contents.erase(operation.name);
      break;
  }
}

Status perform(const Operation& operation, Filesystem& filesystem) {
  switch (operation.kind) {
    case Kind::create:
      return perform_create(operation.name, filesystem);
    case Kind::copy:
      return perform_copy(operation, filesystem);
    case Kind::rename:
      return filesystem.rename({.old_parent = kRootInode,
                                .old_name = operation.name,
                                .new_parent = kRootInode,
                                .new_name = operation.other});
    case Kind::unlink:
      return filesystem.unlink(kRootInode, operation.name);
    case Kind::sync_directory:
      return sync_root(filesystem);
    case Kind::sync_all:
      return filesystem.sync_all();
    case Kind::write:
    case Kind::truncate:
    case Kind::punch:
    case Kind::sync:
      break;
  }
  return with_open_file(filesystem, operation.name, [&](Handle handle, InodeNumber inode) {
    return perform_on_handle(operation, filesystem, handle, inode);
  });
}

Possibilities::Possibilities(const Contents& begin) {
  names_.push_back(names_of(begin));
  for (const auto& [name, content] : begin) files_[name] = {make({.contents = {content}})};
}

Possibilities::Names Possibilities::names_of(const Contents& contents) {
  Names names;
  for (const auto& [name, content] : contents) names.insert(name);
  return names;
}

Possibilities::VersionsPointer Possibilities::make(Versions versions) {
  return std::make_shared<Versions>(std::move(versions));
}

void Possibilities::note_write(const VersionsPointer& versions, const std::string& content) {
  for (VersionsPointer at = versions; at; at = at->before_rename) at->contents.push_back(content);
}

void Possibilities::note_rename(const Operation& operation, const Contents& before) {
  const std::vector<VersionsPointer>& moved = files_[operation.name];
  std::vector<VersionsPointer>& target = files_[operation.other];
  if (before.contains(operation.other)) {  // atomic with its content
    target.push_back(
        make({.contents = {before.at(operation.name)}, .before_rename = moved.back()}));
  } else {
    target.insert(target.end(), moved.begin(), moved.end());
  }
}

void Possibilities::add(const Operation& operation, const Contents& before, const Contents& after,
                        bool done) {
  std::vector<VersionsPointer>& versions = files_[operation.name];
  switch (operation.kind) {
    case Kind::create:
      versions.push_back(make({.contents = {""}}));
      break;
    case Kind::write:
    case Kind::punch:
      note_write(versions.back(), after.at(operation.name));
      break;
    case Kind::truncate:
      if (operation.length_bytes == 0) versions.push_back(make({}));
      note_write(versions.back(), after.at(operation.name));
      break;
    case Kind::copy:
      files_[operation.other].push_back(
          make({.contents = {"", after.at(operation.other)}, .any_size = true}));
      break;
    case Kind::rename:
      note_rename(operation, before);
      break;
    case Kind::sync:
      if (done) versions = {make({.contents = {after.at(operation.name)}})};
      break;
    case Kind::sync_all:
      if (done) *this = Possibilities(after);
      break;
    case Kind::unlink:
    case Kind::sync_directory:
      break;
  }
  if (operation.commits() && done) names_.clear();
  names_.push_back(names_of(after));
}

bool Possibilities::is_mix_of(const Versions& versions, const std::string& found) const {
  const auto& contents = versions.contents;
  const bool known_size = std::ranges::any_of(
      contents, [&](const std::string& content) { return content.size() == found.size(); });
  if (!known_size && !versions.any_size) return false;
  for (std::size_t at = 0; at < found.size(); at += kCellBytes) {
    const bool known = std::ranges::any_of(contents, [&](const std::string& content) {
      // A copy that was under way may have ended within a cell.
      const std::string_view bytes = cell(found, at);
      return at < content.size() && cell(content, at).substr(0, bytes.size()) == bytes;
    });
    if (!known) return false;
  }
  return true;
}

std::vector<std::string> Possibilities::complaints(const Contents& found) const {
  std::vector<std::string> lines;
  const Names names = names_of(found);
  if (std::ranges::find(names_, names) == names_.end()) {
    std::string text = "these names were never there together:";
    for (const std::string& name : names) text += " " + name;
    lines.push_back(text);
  }
  for (const auto& [name, content] : found) {
    const auto known = files_.find(name);
    const bool allowed =
        known != files_.end() &&
        std::ranges::any_of(known->second, [&, &bytes = content](const VersionsPointer& versions) {
          return is_mix_of(*versions, bytes);
        });
    if (!allowed) {
      lines.push_back(name + " holds " + std::to_string(content.size()) +
                      " bytes that it never held, or not any more");
    }
  }
  return lines;
}

}  // namespace weightfs::fs
