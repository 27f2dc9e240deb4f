// The commands' questions, answered by the same library calls that they make on an unmounted store.
#include <atomic>
#include <memory>

#include "control_handlers.h"
#include "weightfs/ops/file_storage.h"
#include "weightfs/ops/garbage.h"
#include "weightfs/ops/optimize.h"
#include "weightfs/ops/report.h"
#include "weightfs/ops/transfer.h"

namespace weightfs::mount {

using nlohmann::json;

namespace {

void add_optimize_handler(ControlServer& server, fs::Filesystem& filesystem) {
  const auto running = std::make_shared<std::atomic_flag>();
  server.add("optimize", [&filesystem, running](const ControlRequest& request) -> Result<json> {
    if (running->test_and_set()) return fail(Code::busy, "the store is being optimized already");
    const std::shared_ptr<void> guard(nullptr, [&running](void*) { running->clear(); });
    return ops::serve_optimize(filesystem, request.arguments, request.progress,
                               request.is_given_up);
  });
}

}  // namespace

void add_ops_handlers(ControlServer& server, fs::Filesystem& filesystem) {
  server.add("report", [&filesystem](const ControlRequest&) -> Result<json> {
    WEIGHTFS_ASSIGN(const ops::Report report, ops::make_report(filesystem));
    return to_json(report);
  });
  server.add("gc", [&filesystem](const ControlRequest& request) -> Result<json> {
    const bool dry_run = request.arguments.value("dry_run", false);
    WEIGHTFS_ASSIGN(const ops::Garbage garbage, ops::collect_garbage(filesystem, dry_run));
    return to_json(garbage);
  });
  add_optimize_handler(server, filesystem);
  server.add("stat", [&filesystem](const ControlRequest& request) -> Result<json> {
    const auto inode = request.arguments.at("inode").get<fs::InodeNumber>();
    WEIGHTFS_ASSIGN(const ops::FileStorage storage, ops::file_storage(filesystem, inode, {}));
    return to_json(storage);
  });
  server.add("tensors", [&filesystem](const ControlRequest& request) -> Result<json> {
    const auto inode = request.arguments.at("inode").get<fs::InodeNumber>();
    WEIGHTFS_ASSIGN(const auto tensors, ops::tensor_storage(filesystem, inode));
    return ops::to_json(tensors);
  });
  server.add("import", [&filesystem](const ControlRequest& request) {
    return ops::serve_import(filesystem, request.descriptors);
  });
  server.add("export", [&filesystem](const ControlRequest& request) {
    return ops::serve_export(filesystem, request.descriptors);
  });
}

}  // namespace weightfs::mount
