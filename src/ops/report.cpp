#include "weightfs/ops/report.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "json.h"
#include "names.h"
#include "weightfs/fs/filesystem.h"
#include "weightfs/ops/place.h"

namespace weightfs::ops {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Saving, path, logical_bytes, stored_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Report, store, files, logical_bytes, unique_bytes, stored_bytes,
                                   zero_bytes, dedup_saved_bytes, compression_saved_bytes,
                                   unsealed_files, unsealed_bytes, metadata_file_bytes,
                                   blob_file_bytes, blob_free_bytes, codecs, largest_savings)

namespace {

constexpr std::size_t kLargestSavings = 10;

struct SavingFile {
  tree::InodeNumber inode = 0;
  std::uint64_t logical_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t saved_bytes() const {
    return logical_bytes > stored_bytes ? logical_bytes - stored_bytes : 0;
  }
};

// Where a file's bytes are, as far as its inode says.
std::uint64_t staged_bytes(const tree::ContentRecord& content) {
  std::uint64_t bytes = 0;
  for (const tree::ContentRange& range : content.ranges) {
    if (range.kind == tree::RangeKind::staged) bytes += range.end_bytes - range.begin_bytes;
  }
  return bytes;
}

class Reporter {
 public:
  explicit Reporter(fs::Filesystem& filesystem) : filesystem_(filesystem) {}

  Result<Report> make() {
    report_.store = filesystem_.store_path();
    WEIGHTFS_TRY(count_files());
    WEIGHTFS_TRY(count_zeros());
    WEIGHTFS_TRY(count_blobs());
    WEIGHTFS_TRY(measure_environments());
    WEIGHTFS_TRY(name_savings());
    derive();
    return std::move(report_);
  }

 private:
  Status count_files();
  Status count_zeros();
  Status count_blobs();
  Status measure_environments();
  Status name_savings();
  void derive();
  void keep_if_large(const SavingFile& file);

  fs::Filesystem& filesystem_;
  Report report_;
  std::vector<SavingFile> largest_;  // saves most first
};

void Reporter::keep_if_large(const SavingFile& file) {
  if (file.saved_bytes() == 0) return;
  const auto place = std::upper_bound(
      largest_.begin(), largest_.end(), file,
      [](const SavingFile& a, const SavingFile& b) { return a.saved_bytes() > b.saved_bytes(); });
  largest_.insert(place, file);
  if (largest_.size() > kLargestSavings) largest_.pop_back();
}

Status Reporter::count_files() {
  report_.unsealed_files = filesystem_.unsealed_file_count();
  return filesystem_.tree().for_each_inode(
      [&](tree::InodeNumber inode, const tree::InodeRecord& record) {
        if (!S_ISREG(record.mode) || record.link_count == 0) return true;
        std::uint64_t staged = staged_bytes(record.content);
        std::uint64_t size = record.content.size_bytes;
        // A new file's content comes to the tables a moment after it was written.
        const auto live = size == 0 ? filesystem_.get_attributes(inode) : fs::Attributes{};
        if (live && live->size_bytes > 0) staged = size = live->size_bytes;
        ++report_.files;
        report_.logical_bytes += size;
        report_.unsealed_bytes += staged;
        keep_if_large({.inode = inode,
                       .logical_bytes = size,
                       .stored_bytes = record.content.stored_bytes + staged});
        return true;
      });
}

Status Reporter::count_zeros() {
  std::unordered_map<tree::RecipeId, std::uint64_t> references;
  WEIGHTFS_TRY(
      filesystem_.tree().for_each_recipe([&](tree::RecipeId id, const tree::RecipeHeader& header) {
        references.emplace(id, header.reference_count);
        return true;
      }));
  return filesystem_.tree().for_each_recipe_chunk(
      [&](tree::RecipeId id, std::uint64_t, const std::vector<tree::RecipeEntry>& entries) {
        const auto found = references.find(id);
        if (found == references.end()) return true;
        for (const tree::RecipeEntry& entry : entries) {
          if (entry.blob != store::BlobId::none) continue;
          report_.zero_bytes += entry.length_bytes * found->second;
        }
        return true;
      });
}

Status Reporter::count_blobs() {
  std::vector<store::BlobId> live;  // ascending
  WEIGHTFS_TRY(filesystem_.tree().for_each_blob_reference([&](store::BlobId id, std::uint64_t) {
    live.push_back(id);
    return true;
  }));
  std::map<codec::CodecTag, CodecUse> uses;
  auto next = live.begin();
  WEIGHTFS_TRY(
      filesystem_.blobs().for_each(store::BlobId::none, [&](const store::BlobRecord& record) {
        next = std::lower_bound(next, live.end(), record.id);
        if (next == live.end()) return false;
        if (*next != record.id) return true;
        CodecUse& use = uses[record.codec];
        ++use.blobs;
        use.raw_bytes += record.content.length_bytes;
        use.encoded_bytes += record.encoded_bytes;
        return true;
      }));
  for (auto& [tag, use] : uses) {
    use.codec = codec::codec_name(tag);
    report_.unique_bytes += use.raw_bytes;
    report_.stored_bytes += use.encoded_bytes;
    report_.codecs.push_back(std::move(use));
  }
  std::sort(report_.codecs.begin(), report_.codecs.end(),
            [](const CodecUse& a, const CodecUse& b) { return a.encoded_bytes > b.encoded_bytes; });
  return {};
}

Status Reporter::measure_environments() {
  WEIGHTFS_ASSIGN(const kv::EnvironmentStats metadata, filesystem_.tree().stats());
  WEIGHTFS_ASSIGN(const store::BlobStoreStats blobs, filesystem_.blobs().stats());
  report_.metadata_file_bytes = metadata.file_bytes;
  report_.blob_file_bytes = blobs.file_bytes;
  report_.blob_free_bytes = blobs.free_bytes;
  return {};
}

Status Reporter::name_savings() {
  if (largest_.empty()) return {};
  std::unordered_set<tree::InodeNumber> wanted;
  for (const SavingFile& file : largest_) wanted.insert(file.inode);
  WEIGHTFS_ASSIGN(const NameIndex names, NameIndex::build(filesystem_.tree(), &wanted));
  for (const SavingFile& file : largest_) {
    report_.largest_savings.push_back({.path = names.path_of(file.inode),
                                       .logical_bytes = file.logical_bytes,
                                       .stored_bytes = file.stored_bytes});
  }
  return {};
}

void Reporter::derive() {
  const auto less = [](std::uint64_t from, std::uint64_t what) {
    return from > what ? from - what : 0;
  };
  report_.compression_saved_bytes = less(report_.unique_bytes, report_.stored_bytes);
  report_.dedup_saved_bytes = less(
      report_.logical_bytes, report_.unsealed_bytes + report_.zero_bytes + report_.unique_bytes);
}

}  // namespace

double Report::ratio() const {
  if (logical_bytes == 0) return 1.0;
  return static_cast<double>(stored_bytes + unsealed_bytes) / static_cast<double>(logical_bytes);
}

Result<Report> make_report(fs::Filesystem& filesystem) {
  return Reporter(filesystem).make();
}

Result<Report> store_report(const std::string& path) {
  WEIGHTFS_ASSIGN(const Place place, find_place(path));
  if (place.is_mounted) {
    WEIGHTFS_ASSIGN(const json answer, ask_daemon(place, {{"op", "report"}}));
    return report_from_json(answer);
  }
  WEIGHTFS_ASSIGN(const auto filesystem, open_unmounted(place, /*read_only=*/true));
  return make_report(*filesystem);
}

json to_json(const Report& report) {
  json value(report);
  value["ratio"] = report.ratio();
  for (std::size_t i = 0; i < report.codecs.size(); ++i) {
    value["codecs"][i]["saved_bytes"] = report.codecs[i].saved_bytes();
  }
  return value;
}

Result<Report> report_from_json(const json& value) {
  return value_from_json<Report>(value);
}

}  // namespace weightfs::ops
