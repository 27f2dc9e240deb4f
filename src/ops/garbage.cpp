#include "weightfs/ops/garbage.h"

#include "json.h"
#include "weightfs/fs/filesystem.h"
#include "weightfs/ops/place.h"

namespace weightfs::ops {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Garbage, recipes, blobs, encoded_bytes, dry_run)

Result<Garbage> collect_garbage(fs::Filesystem& filesystem, bool dry_run) {
  WEIGHTFS_ASSIGN(const auto collected, filesystem.collect_garbage(dry_run));
  return Garbage{.recipes = collected.recipes,
                 .blobs = collected.blobs,
                 .encoded_bytes = collected.encoded_bytes,
                 .dry_run = dry_run};
}

Result<Garbage> collect_store_garbage(const std::string& path, bool dry_run) {
  WEIGHTFS_ASSIGN(const Place place, find_place(path));
  if (place.is_mounted) {
    WEIGHTFS_ASSIGN(const json answer, ask_daemon(place, {{"op", "gc"}, {"dry_run", dry_run}}));
    return garbage_from_json(answer);
  }
  WEIGHTFS_ASSIGN(const auto filesystem, open_unmounted(place, /*read_only=*/dry_run));
  return collect_garbage(*filesystem, dry_run);
}

json to_json(const Garbage& garbage) {
  return json(garbage);
}
Result<Garbage> garbage_from_json(const json& value) {
  return value_from_json<Garbage>(value);
}

}  // namespace weightfs::ops
