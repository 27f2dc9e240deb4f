#include "control_handlers.h"

#include <unistd.h>

namespace weightfs::mount {

using nlohmann::json;

void add_daemon_handlers(ControlServer& server, fs::Filesystem& filesystem,
                         std::function<void()> quit) {
  server.add("sync", [&filesystem](const ControlRequest&) -> Result<json> {
    WEIGHTFS_TRY(filesystem.sync_all());
    return json::object();
  });
  server.add("status", [&filesystem](const ControlRequest&) -> Result<json> {
    return json{{"pid", ::getpid()},
                {"store", filesystem.store_path()},
                {"unsealed_files", filesystem.unsealed_file_count()}};
  });
  server.add("quit", [quit = std::move(quit)](const ControlRequest&) -> Result<json> {
    quit();
    return json::object();
  });
}

}  // namespace weightfs::mount
