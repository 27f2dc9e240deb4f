#include "crash_script.h"

#include <algorithm>
#include <array>

#include "weightfs/base/bytes.h"

namespace weightfs::fs {
namespace {

using Kind = Operation::Kind;

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

}  // namespace weightfs::fs
