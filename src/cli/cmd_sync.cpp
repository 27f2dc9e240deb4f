#include "weightfs/cli/command.h"
#include "weightfs/ops/unmount.h"

namespace weightfs::cli {

void add_sync_command(CLI::App& program, Context& context) {
  const auto mount_point = std::make_shared<std::string>();
  CLI::App* command =
      program.add_subcommand("sync", "Return when everything written so far is sealed and durable");
  command->footer(
      "Examples:\n"
      "  cp model.safetensors ~/models && weightfs sync ~/models\n");
  command->add_option("MOUNTPOINT", *mount_point, "Where the store is mounted")->required();
  command->callback([mount_point, &context] { context.finish(ops::sync(*mount_point)); });
}

}  // namespace weightfs::cli
