#include "transfer_text.h"
#include "weightfs/cli/command.h"

namespace weightfs::cli {
namespace {

struct Arguments {
  ops::ExportOptions options;
  TransferOutput output;
};

Status run_export(Arguments& arguments, Context& context) {
  TransferReporter reporter(arguments.output, context);
  arguments.options.progress = reporter.progress();
  WEIGHTFS_ASSIGN(const ops::TransferResult result, ops::export_files(arguments.options));
  reporter.finish("exported", result);
  return {};
}

}  // namespace

void add_export_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("export", "Copy files out of a store, past FUSE");
  command->footer(
      "A directory goes into DEST under its own name; with a slash behind it, only what it holds.\n"
      "Run it again to go on where it was broken off.\n\n"
      "Examples:\n"
      "  weightfs export /srv/models.store:/base /tmp/out\n"
      "  weightfs export ~/models:/base/model.safetensors model.safetensors\n");
  command
      ->add_option("SOURCE", arguments->options.source,
                   "A store or a path in a mount, with :/PATH behind it")
      ->required();
  command->add_option("DEST", arguments->options.destination, "Where to")->required();
  add_output_options(*command, arguments->output);
  command->callback([arguments, &context] { context.finish(run_export(*arguments, context)); });
}

}  // namespace weightfs::cli
