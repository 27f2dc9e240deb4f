// The commands' questions, answered by the same library calls that they make on an unmounted store.
#include "control_handlers.h"
#include "weightfs/ops/file_storage.h"
#include "weightfs/ops/garbage.h"
#include "weightfs/ops/report.h"
#include "weightfs/ops/transfer.h"

namespace weightfs::mount {

using nlohmann::json;

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
