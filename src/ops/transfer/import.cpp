#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "../progress_meter.h"
#include "remote.h"
#include "source_walk.h"
#include "store_path.h"
#include "store_writer.h"
#include "weightfs/ops/place.h"
#include "weightfs/ops/transfer.h"

namespace weightfs::ops {
namespace {

using namespace transfer;

constexpr std::size_t kItemsAtOnce = 256;
constexpr std::uint64_t kBytesAtOnce = std::uint64_t{256} << 20;
constexpr std::size_t kMostErrors = 1000;

void add_error(TransferResult& result, const std::string& path, const std::string& message) {
  if (result.errors.size() < kMostErrors) result.errors.push_back({path, message});
}

// Hands items to the target in batches, and keeps account of what comes back.
class Importer {
 public:
  Importer(ImportTarget& target, ProgressMeter& meter) : target_(target), meter_(meter) {}

  Status add(const Item& item, const std::string& source, UniqueFd content) {
    meter_.begin_item(source);
    const bool is_file = static_cast<bool>(content);
    WEIGHTFS_TRY(target_.add(item, std::move(content)));
    sent_.push_back({source, item.size_bytes, is_file});
    waiting_bytes_ += item.size_bytes;
    const std::size_t waiting = sent_.size() - answered_;
    if (waiting >= kItemsAtOnce || waiting_bytes_ >= kBytesAtOnce) return flush();
    return {};
  }

  Status flush() {
    WEIGHTFS_ASSIGN(const std::vector<ItemResult> results, target_.flush());
    for (const ItemResult& item : results) account(item);
    answered_ = sent_.size();
    waiting_bytes_ = 0;
    return {};
  }

  TransferResult result;

 private:
  struct Sent {
    std::string source;
    std::uint64_t size_bytes;
    bool is_file;
  };

  void account(const ItemResult& item) {
    if (item.number >= sent_.size()) return;  // an answer to nothing
    const Sent& sent = sent_[static_cast<std::size_t>(item.number)];
    if (item.outcome == Outcome::failed) return add_error(result, sent.source, item.error);
    if (sent.is_file) meter_.end_item();
    meter_.add_stored_bytes(item.stored_bytes);
    result.stored_bytes += item.stored_bytes;
    if (item.outcome == Outcome::skipped) {
      result.skipped += sent.is_file ? 1 : 0;
    } else if (sent.is_file) {
      ++result.files;
      result.bytes += sent.size_bytes;
    } else {
      ++result.others;
    }
  }

  ImportTarget& target_;
  ProgressMeter& meter_;
  std::vector<Sent> sent_;
  std::size_t answered_ = 0;
  std::uint64_t waiting_bytes_ = 0;
};

std::string base_name(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

// The target directory itself, and what leads to it.
Status make_target(Importer& importer, const std::string& path) {
  for (std::size_t slash = path.find('/', 1); path.size() > 1; slash = path.find('/', slash + 1)) {
    Item item;
    item.path = path.substr(0, slash);
    item.mode = S_IFDIR | 0755;
    item.uid = ::geteuid();
    item.gid = ::getegid();
    WEIGHTFS_TRY(importer.add(item, item.path, UniqueFd()));
    if (slash == std::string::npos) break;
  }
  WEIGHTFS_TRY(importer.flush());
  if (importer.result.errors.empty()) return {};
  return fail(Code::invalid,
              "can't make " + path + " in the store: " + importer.result.errors.front().message);
}

Result<TransferResult> import_into(ImportTarget& target, const Place& place,
                                   const ImportOptions& options, ProgressMeter& meter) {
  Importer importer(target, meter);
  WEIGHTFS_TRY(make_target(importer, place.inner_path));
  importer.result = {};
  SourceWalk walk(
      {.item = [&](const Item& item, const std::string& source,
                   UniqueFd content) { return importer.add(item, source, std::move(content)); },
       .error = [&](const std::string& source,
                    const Error& error) { add_error(importer.result, source, error.message); }},
      place.store_path);
  for (const std::string& source : options.sources) {
    const std::string name = base_name(source);
    const bool contents_only = source.back() == '/' || name == "." || name == "..";
    WEIGHTFS_TRY(walk.walk(source,
                           contents_only ? place.inner_path : join_path(place.inner_path, name),
                           contents_only));
  }
  WEIGHTFS_TRY(importer.flush());
  return std::move(importer.result);
}

}  // namespace

Result<TransferResult> import_files(const ImportOptions& options) {
  for (const std::string& source : options.sources) {
    if (source.empty()) return fail(Code::invalid, "a source without a name");
  }
  WEIGHTFS_ASSIGN(const Place place, find_place_with_path(options.target));
  ProgressMeter meter(options.progress);
  if (options.progress) {
    for (const std::string& source : options.sources) {
      const SourceTotals totals = count_source(source);
      meter.add_total(totals.bytes, totals.files);
    }
  }
  const auto advance = [&meter](std::uint64_t bytes) { meter.add_bytes(bytes); };
  if (place.is_mounted) {
    WEIGHTFS_ASSIGN(const auto target, open_remote_target(place, advance));
    return import_into(*target, place, options, meter);
  }
  WEIGHTFS_ASSIGN(const auto filesystem, open_unmounted(place, /*read_only=*/false));
  StoreWriter target(*filesystem, advance);
  WEIGHTFS_ASSIGN(TransferResult result, import_into(target, place, options, meter));
  WEIGHTFS_TRY(filesystem->sync_all());
  return result;
}

}  // namespace weightfs::ops
