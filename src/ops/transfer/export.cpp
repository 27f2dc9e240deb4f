#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>

#include "../progress_meter.h"
#include "remote.h"
#include "store_path.h"
#include "target_directory.h"
#include "weightfs/ops/place.h"
#include "weightfs/ops/transfer.h"

namespace weightfs::ops {
namespace {

using namespace transfer;

constexpr std::size_t kMostErrors = 1000;

bool is_full(const Error& error) {
  return error.code == Code::no_space || error.code == Code::quota;
}

class Exporter {
 public:
  Exporter(ExportSource& source, ProgressMeter& meter) : source_(source), meter_(meter) {}

  // `path` in the store is for messages; an error of the return value ends the export.
  Status visit(const Item& item, const std::string& path, const std::string& target);
  Status visit_entries(const Item& directory, const std::string& path, const std::string& target);

  TransferResult result;

 private:
  Status visit_directory(const Item& item, const std::string& path, const std::string& target);
  Status visit_file(const Item& item, const std::string& target);
  Result<bool> link_to_first(const Item& item, const std::string& target);
  // Notes an item's error; one that all others would meet as well is passed on.
  Status note(const std::string& path, const Status& status);

  ExportSource& source_;
  ProgressMeter& meter_;
  std::unordered_map<std::uint64_t, std::string> linked_;  // inode -> its first name outside
};

Status Exporter::note(const std::string& path, const Status& status) {
  if (status) return {};
  if (result.errors.size() < kMostErrors) {
    result.errors.push_back({.path = path, .message = status.error().message});
  }
  const bool hopeless = is_full(status.error()) || status.error().message == "the daemon has gone";
  return hopeless ? status : Status();
}

Status Exporter::visit(const Item& item, const std::string& path, const std::string& target) {
  meter_.begin_item(path);
  if (S_ISDIR(item.mode)) return visit_directory(item, path, target);
  if (item.link_count > 1) {
    const Result<bool> linked = link_to_first(item, target);
    if (!linked) return note(path, tl::unexpected(linked.error()));
    if (*linked) {
      ++result.others;
      return {};
    }
  }
  if (S_ISREG(item.mode)) return note(path, visit_file(item, target));
  const Status made = make_special(item, target);
  if (made) ++result.others;
  return note(path, made);
}

Status Exporter::visit_directory(const Item& item, const std::string& path,
                                 const std::string& target) {
  if (::mkdir(target.c_str(), 0700) != 0 && errno != EEXIST) {
    return note(path, fail_errno(errno, "can't make " + target));
  }
  ++result.others;
  WEIGHTFS_TRY(visit_entries(item, path, target));
  return note(path, set_metadata(item, target));
}

Status Exporter::visit_entries(const Item& directory, const std::string& path,
                               const std::string& target) {
  std::uint64_t cookie = 0;
  for (;;) {
    const auto items = source_.list(directory.inode, cookie);
    if (!items) return note(path, tl::unexpected(items.error()));
    if (items->empty()) return {};
    for (const Item& item : *items) {
      if (item.path.empty() || item.path.find('/') != std::string::npos) continue;  // no name
      WEIGHTFS_TRY(visit(item, join_path(path, item.path), join_path(target, item.path)));
    }
  }
}

Result<bool> Exporter::link_to_first(const Item& item, const std::string& target) {
  const auto [first, is_first] = linked_.try_emplace(item.inode, target);
  if (is_first) return false;
  WEIGHTFS_TRY(make_hard_link(first->second, target));
  return true;
}

Status Exporter::visit_file(const Item& item, const std::string& target) {
  if (is_up_to_date(item, target)) {
    ++result.skipped;
    meter_.add_bytes(item.size_bytes);
    return set_metadata(item, target);
  }
  WEIGHTFS_ASSIGN(PartialFile partial, PartialFile::open(target));
  WEIGHTFS_TRY(source_.copy(item.inode, partial.fd()));
  WEIGHTFS_TRY(partial.finish(item));
  ++result.files;
  result.bytes += item.size_bytes;
  meter_.end_item();
  return {};
}

Result<TransferResult> export_from(ExportSource& source, const Place& place,
                                   const ExportOptions& options, ProgressMeter& meter) {
  Exporter exporter(source, meter);
  WEIGHTFS_ASSIGN(const Item item, source.find(place.inner_path));
  const bool contents_only = place.inner_path == "/" || options.source.back() == '/';
  struct stat status {};
  const bool into_directory =
      ::stat(options.destination.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  Status outcome;
  if (!S_ISDIR(item.mode)) {
    outcome = exporter.visit(
        item, place.inner_path,
        into_directory ? join_path(options.destination, item.path) : options.destination);
  } else {
    WEIGHTFS_TRY(make_directories(options.destination));
    outcome = contents_only ? exporter.visit_entries(item, place.inner_path, options.destination)
                            : exporter.visit(item, place.inner_path,
                                             join_path(options.destination, item.path));
  }
  if (!outcome && exporter.result.errors.empty()) return tl::unexpected(outcome.error());
  return std::move(exporter.result);
}

}  // namespace

Result<TransferResult> export_files(const ExportOptions& options) {
  if (options.source.empty() || options.destination.empty()) {
    return fail(Code::invalid, "a source or destination without a name");
  }
  WEIGHTFS_ASSIGN(const Place place, find_place_with_path(options.source));
  ProgressMeter meter(options.progress);
  const auto advance = [&meter](std::uint64_t bytes) { meter.add_bytes(bytes); };
  if (place.is_mounted) {
    WEIGHTFS_ASSIGN(const auto source, open_remote_source(place, advance));
    return export_from(*source, place, options, meter);
  }
  WEIGHTFS_ASSIGN(const auto filesystem, open_unmounted(place, /*read_only=*/true));
  StoreReader source(*filesystem, advance);
  return export_from(source, place, options, meter);
}

}  // namespace weightfs::ops
