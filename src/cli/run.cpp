#include <ostream>

#include "weightfs/cli/command.h"

namespace weightfs::cli {
namespace {

constexpr int kFailed = 1;

// What CLI11 throws to end a parse: help that was asked for, or a mistake.
int report(CLI::App& program, const CLI::ParseError& stop, const Context& context) {
  if (stop.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    return program.exit(stop, context.streams.out, context.streams.error);
  }
  context.streams.error << "weightfs: " << stop.what() << " (weightfs --help shows how)\n";
  return context.usage_status;
}

}  // namespace

void Context::finish(const Status& status) {
  if (status) return;
  streams.error << "weightfs: " << status.error().message << '\n';
  exit_status = kFailed;
}

int run(int argument_count, const char* const* arguments, const Streams& streams) {
  CLI::App program(
      "A mounted directory for model files: copy a checkpoint in, and it takes a "
      "fraction of the space.",
      "weightfs");
  program.require_subcommand(1);
  program.footer("weightfs COMMAND --help shows each command's options, with examples.");
  Context context{streams};
  add_commands(program, context);
  try {
    program.parse(argument_count, arguments);
  } catch (const CLI::ParseError& stop) {
    return report(program, stop, context);
  }
  return context.exit_status;
}

}  // namespace weightfs::cli
