#include "crash_model.h"

#include <algorithm>

namespace weightfs::fs {
namespace {

using Kind = Operation::Kind;

std::string_view cell(const std::string& content, std::size_t at) {
  return std::string_view(content).substr(at, kCellBytes);
}

}  // namespace

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
