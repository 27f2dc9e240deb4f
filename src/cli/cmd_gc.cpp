#include <fmt/format.h>

#include <ostream>

#include "json_text.h"
#include "text.h"
#include "weightfs/cli/command.h"
#include "weightfs/ops/garbage.h"

namespace weightfs::cli {
namespace {

struct Arguments {
  std::string path;
  bool dry_run = false;
  bool as_json = false;
};

Status run_gc(const Arguments& arguments, std::ostream& out) {
  WEIGHTFS_ASSIGN(const ops::Garbage garbage,
                  ops::collect_store_garbage(arguments.path, arguments.dry_run));
  if (arguments.as_json) {
    print_json(to_json(garbage), out);
    return {};
  }
  out << fmt::format("{} {}, {} and {}\n", garbage.dry_run ? "would free" : "freed",
                     bytes_text(garbage.encoded_bytes), count_text(garbage.blobs, "blob"),
                     count_text(garbage.recipes, "recipe"));
  return {};
}

}  // namespace

void add_gc_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("gc", "Free what nothing refers to, now");
  command->footer(
      "Deleted files free their space by themselves, in the background. Freed space is reused; "
      "the\n"
      "store's files on disk don't shrink.\n\n"
      "Examples:\n"
      "  weightfs gc ~/models\n"
      "  weightfs gc /srv/models.store --dry-run\n");
  command->add_option("STORE-OR-MOUNT", arguments->path, "A store, or any path in a mount")
      ->required();
  command->add_flag("--dry-run", arguments->dry_run, "Only tell how much there is");
  command->add_flag("--json", arguments->as_json, "Print JSON");
  command->callback(
      [arguments, &context] { context.finish(run_gc(*arguments, context.streams.out)); });
}

}  // namespace weightfs::cli
