// The corpus of real model files beside the checkout, and what its index says about each of them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "weightfs/format/format.h"

namespace weightfs::format::testing {

// WEIGHTFS_CORPUS, or ../shared/corpus beside the source tree.
inline std::filesystem::path corpus_directory() {
  if (const char* path = std::getenv("WEIGHTFS_CORPUS")) return path;
  return std::filesystem::path(WEIGHTFS_SOURCE_ROOT).parent_path() / "shared" / "corpus";
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Bytes that it owns.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)), span_(bytes_of(bytes_)) {}
  std::uint64_t size_bytes() const override { return span_.size_bytes(); }
  Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const override {
    return span_.read_at(offset_bytes, target);
  }

 private:
  std::string bytes_;
  SpanSource span_;
};

class DirectoryNeighbours final : public Neighbours {
 public:
  explicit DirectoryNeighbours(std::filesystem::path directory)
      : directory_(std::move(directory)) {}
  std::shared_ptr<const ByteSource> open(std::string_view name) const override {
    const std::filesystem::path path = directory_ / name;
    if (!std::filesystem::is_regular_file(path)) return nullptr;
    return std::make_shared<StringSource>(read_file(path));
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

 private:
  std::filesystem::path directory_;
};

struct DtypeTotal {
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;
  bool operator==(const DtypeTotal&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const DtypeTotal& total) {
    return out << total.tensors << " tensors of " << total.bytes << " bytes";
  }
};
using DtypeTotals = std::map<std::string, DtypeTotal>;

struct CorpusFile {
  std::string path;  // below the corpus directory
  std::string format;
  std::uint64_t tensors = 0;
  DtypeTotals dtypes;  // empty where the index doesn't say
  friend std::ostream& operator<<(std::ostream& out, const CorpusFile& file) {
    return out << file.path;
  }
};

// "F32:2:6144,F16:384:770688" by dtype_name(); empty for remarks in prose.
inline DtypeTotals parse_totals(const std::string& text) {
  DtypeTotals totals;
  std::istringstream in(text);
  for (std::string entry; std::getline(in, entry, ',');) {
    std::istringstream fields(entry);
    std::string name, tensors, bytes;
    std::getline(fields, name, ':');
    std::getline(fields, tensors, ':');
    if (!std::getline(fields, bytes, ':')) return {};
    if (name == "QI8") name = "QINT8";
    if (name == "STR") name = "STRING";
    totals[name] = {std::stoull(tensors), std::stoull(bytes)};
  }
  return totals;
}

// The rows of INDEX.tsv; its columns are subset, path, format, ..., size, tensors, dtypes, ...
inline std::vector<CorpusFile> corpus_files() {
  std::vector<CorpusFile> files;
  std::ifstream index(corpus_directory() / "INDEX.tsv");
  std::string line;
  std::getline(index, line);
  while (std::getline(index, line)) {
    std::vector<std::string> columns;
    std::istringstream in(line);
    for (std::string column; std::getline(in, column, '\t');) columns.push_back(column);
    if (columns.size() < 11 || columns[1].empty()) continue;
    files.push_back({.path = columns[1],
                     .format = columns[2],
                     .tensors = columns[9].empty() ? 0 : std::stoull(columns[9]),
                     .dtypes = parse_totals(columns[10])});
  }
  return files;
}

}  // namespace weightfs::format::testing
