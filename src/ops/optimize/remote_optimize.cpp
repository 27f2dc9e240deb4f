// `weightfs optimize` on a store that a daemon has, from both ends.
#include <thread>

#include "../json.h"
#include "tier_names.h"
#include "weightfs/fs/filesystem.h"
#include "weightfs/ops/control.h"
#include "weightfs/ops/optimize.h"
#include "weightfs/ops/place.h"

namespace weightfs::ops {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Progress, done_bytes, total_bytes, done_items, total_items,
                                   stored_bytes, current)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Optimization, store, tier, blobs, recoded_blobs, broken_blobs,
                                   encoded_bytes, saved_bytes, dry_run, stopped)

namespace {

Result<Optimization> ask_to_optimize(const Place& place, const OptimizeOptions& options) {
  WEIGHTFS_ASSIGN(ControlClient client, ControlClient::connect(place.store_path));
  const json request = {{"op", "optimize"},
                        {"tier", std::string(tier_name(options.tier))},
                        {"portable", options.portable},
                        {"dry_run", options.dry_run},
                        {"restart", options.restart}};
  const auto on_progress = [&](const json& value) {
    const auto progress = value_from_json<Progress>(value);
    if (progress && options.progress) options.progress(*progress);
    if (options.cancelled && options.cancelled()) client.give_up();
  };
  WEIGHTFS_ASSIGN(const json answer, client.call(request, {}, on_progress));
  return optimization_from_json(answer);
}

}  // namespace

Result<Optimization> optimize_store(const std::string& path, const OptimizeOptions& options) {
  WEIGHTFS_ASSIGN(const Place place, find_place(path));
  if (place.is_mounted) return ask_to_optimize(place, options);
  WEIGHTFS_ASSIGN(const auto filesystem, open_unmounted(place, /*read_only=*/options.dry_run));
  return optimize(*filesystem, options);
}

Result<json> serve_optimize(fs::Filesystem& filesystem, const json& request,
                            const std::function<void(const json&)>& progress,
                            const std::function<bool()>& cancelled) {
  const auto tier = tier_named(request.at("tier").get<std::string>());
  if (!tier) return fail(Code::invalid, "an unknown tier");
  OptimizeOptions options;
  options.tier = *tier;
  options.portable = request.value("portable", false) || filesystem.options().portable;
  options.dry_run = request.value("dry_run", false);
  options.restart = request.value("restart", false);
  options.worker_count = std::max(1U, std::thread::hardware_concurrency() / 2);
  options.progress = [&progress](const Progress& how_far) { progress(json(how_far)); };
  options.cancelled = cancelled;
  WEIGHTFS_ASSIGN(const Optimization optimization, optimize(filesystem, options));
  return to_json(optimization);
}

json to_json(const Optimization& optimization) {
  return json(optimization);
}
Result<Optimization> optimization_from_json(const json& value) {
  return value_from_json<Optimization>(value);
}

}  // namespace weightfs::ops
