#include "weightfs/cli/command.h"
#include "weightfs/ops/unmount.h"

namespace weightfs::cli {
namespace {

struct Arguments {
  std::string mount_point;
  ops::UnmountOptions options;
};

}  // namespace

void add_umount_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "umount", "Unmount; returns when all is sealed, durable and the daemon is gone");
  command->footer(
      "Examples:\n"
      "  weightfs umount ~/models\n"
      "  weightfs umount --lazy /srv/models\n");
  command->add_option("MOUNTPOINT", arguments->mount_point, "Where the store is mounted")
      ->required();
  command->add_flag("--lazy", arguments->options.lazy,
                    "Unmount even if files are open there; the daemon ends with the last");
  command->callback([arguments, &context] {
    context.finish(ops::unmount(arguments->mount_point, arguments->options));
  });
}

}  // namespace weightfs::cli
