#include "weightfs/cli/command.h"
#include "weightfs/mount/mount.h"

namespace weightfs::cli {
namespace {

std::string footer() {
  return "Options after -o:\n" + mount::option_help() +
         "\nExamples:\n"
         "  weightfs mount /srv/models.store /srv/models\n"
         "  weightfs mount models.store ~/models -o tier=cold,cache_mb=256\n"
         "  mount -t weightfs /srv/models.store /srv/models -o nodev\n";
}

// -o a,b=c -o d: each apart; a backslash keeps a comma.
std::vector<std::string> split_options(const std::vector<std::string>& lists) {
  std::vector<std::string> options;
  for (const std::string& list : lists) {
    std::string option;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i] == ',') {
        options.push_back(std::exchange(option, {}));
      } else {
        if (list[i] == '\\' && i + 1 < list.size()) ++i;
        option += list[i];
      }
    }
    options.push_back(std::move(option));
  }
  return options;
}

struct Arguments {
  mount::MountRequest request;
  std::vector<std::string> option_lists;
};

}  // namespace

void add_mount_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("mount", "Mount a store on a directory");
  command->footer(footer());
  command->add_option("STORE", arguments->request.store_path, "The store; made if there is none")
      ->required();
  command->add_option("MOUNTPOINT", arguments->request.mount_point, "An empty directory")
      ->required();
  command->add_option("-o", arguments->option_lists, "Options, separated by commas")
      ->type_name("OPTION,...")
      ->allow_extra_args(false);
  command->add_flag("-f,--foreground", arguments->request.foreground,
                    "Stay in the foreground, and log to the terminal");
  command->callback([arguments, &context] {
    arguments->request.options = split_options(arguments->option_lists);
    context.finish(mount::mount_store(arguments->request));
  });
}

}  // namespace weightfs::cli
