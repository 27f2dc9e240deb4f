#include <nlohmann/json.hpp>
#include <ostream>

#include "weightfs/cli/command.h"

namespace weightfs::cli {
namespace {

void print_version(bool as_json, std::ostream& out) {
  if (as_json) {
    out << nlohmann::json{{"version", WEIGHTFS_VERSION}}.dump() << '\n';
  } else {
    out << "weightfs " WEIGHTFS_VERSION "\n";
  }
}

}  // namespace

void add_version_command(CLI::App& program, Context& context) {
  const auto as_json = std::make_shared<bool>(false);
  CLI::App* command = program.add_subcommand("version", "Show the version");
  command->footer("Examples:\n  weightfs version\n  weightfs version --json\n");
  command->add_flag("--json", *as_json, "As JSON");
  command->callback([as_json, &context] { print_version(*as_json, context.streams.out); });
}

}  // namespace weightfs::cli
