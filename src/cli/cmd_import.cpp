#include "transfer_text.h"
#include "weightfs/cli/command.h"

namespace weightfs::cli {
namespace {

struct Arguments {
  std::vector<std::string> paths;  // the sources, and behind them the target
  ops::ImportOptions options;
  TransferOutput output;
};

Status run_import(Arguments& arguments, Context& context) {
  arguments.options.sources = std::move(arguments.paths);
  arguments.options.target = std::move(arguments.options.sources.back());
  arguments.options.sources.pop_back();
  TransferReporter reporter(arguments.output, context);
  arguments.options.progress = reporter.progress();
  WEIGHTFS_ASSIGN(const ops::TransferResult result, ops::import_files(arguments.options));
  reporter.finish("imported", result);
  return {};
}

}  // namespace

void add_import_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("import", "Copy files into a store, past FUSE");
  command->footer(
      "A directory goes into the target under its own name; with a slash behind it, only what it\n"
      "holds. Run it again to go on where it was broken off: files that are there with the same "
      "size\n"
      "and modification time are passed over.\n\n"
      "Examples:\n"
      "  weightfs import ~/.cache/huggingface ~/models\n"
      "  weightfs import checkpoints/ /srv/models.store:/runs/7\n");
  constexpr int kFewestPaths = 2;
  command
      ->add_option("SRC... TARGET", arguments->paths,
                   "Files and directories; and last a store or a path in a mount, with or without "
                   ":/PATH behind it")
      ->required()
      ->expected(kFewestPaths, CLI::detail::expected_max_vector_size);
  add_output_options(*command, arguments->output);
  command->callback([arguments, &context] { context.finish(run_import(*arguments, context)); });
}

}  // namespace weightfs::cli
