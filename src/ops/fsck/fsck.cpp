#include "weightfs/ops/fsck.h"

#include <sys/stat.h>

#include <algorithm>

#include "findings.h"
#include "weightfs/ops/place.h"
#include "weightfs/store/directory.h"

namespace weightfs::ops {
namespace {

using namespace fsck;

Result<store::Directory> lock_store(const std::string& path, bool repair) {
  struct stat status {};
  if (::stat((path + "/format").c_str(), &status) != 0) {
    return fail(Code::not_found, path + " is not a weightfs store");
  }
  Result<store::Directory> locked =
      store::Directory::open(path, {.create = false, .read_only = false});
  if (locked || repair) return locked;
  const Code code = locked.error().code;
  const bool can_not_write = code == Code::read_only || code == Code::access_denied;
  if (!can_not_write) return locked;
  return store::Directory::open(path, {.create = false, .read_only = true});
}

Status check_everything(const Parts& parts, FsckResult& result) {
  Findings findings(parts.tree, parts.options.repair, result);
  Facts facts;
  BlobTable blobs;
  BrokenTable broken;
  WEIGHTFS_TRY(load_inodes(parts, findings, facts));
  WEIGHTFS_TRY(load_blobs(parts, findings, blobs));
  WEIGHTFS_TRY(check_recipes(parts, findings, facts, blobs, broken));
  WEIGHTFS_TRY(check_references(parts, findings, blobs));
  WEIGHTFS_TRY(check_staging(parts, findings, facts));
  WEIGHTFS_TRY(check_counters(parts, findings, facts));
  WEIGHTFS_TRY(check_names(parts, findings, facts));
  WEIGHTFS_TRY(check_links(parts, findings, facts));
  WEIGHTFS_TRY(check_xattrs(parts, findings, facts));
  if (!parts.options.quick) WEIGHTFS_TRY(check_content(parts, findings, blobs, broken));
  WEIGHTFS_TRY(name_damage(parts, findings, broken));
  return parts.options.repair ? parts.tree.commit() : Status();
}

}  // namespace

int FsckResult::exit_status() const {
  const bool all_corrected = std::all_of(problems.begin(), problems.end(),
                                         [](const FsckProblem& p) { return p.is_corrected; });
  if (!all_corrected || !damaged.empty()) return 4;
  return problems.empty() ? 0 : 1;
}

Result<FsckResult> check_store(const std::string& path, const FsckOptions& options) {
  WEIGHTFS_ASSIGN(const store::Directory directory, lock_store(path, options.repair));
  const bool read_only = !options.repair;
  WEIGHTFS_ASSIGN(const auto tree,
                  tree::Tree::open({.path = directory.meta_path(), .read_only = read_only}));
  WEIGHTFS_ASSIGN(const auto blobs, store::open_lmdb_blob_store(
                                        {.path = directory.blobs_path(), .read_only = read_only}));
  WEIGHTFS_ASSIGN(const auto staging, file::StagingArea::open(directory.staging_path(), read_only));
  file::BlockCacheOptions cache_options;
  cache_options.decode_ahead_threads = 0;
  file::BlockCache cache(*blobs, cache_options);
  FsckResult result;
  result.store = directory.path();
  WEIGHTFS_TRY(check_everything({*tree, *blobs, cache, *staging, options}, result));
  return result;
}

}  // namespace weightfs::ops
