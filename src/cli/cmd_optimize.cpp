#include <fmt/format.h>

#include <ostream>

#include "interrupt.h"
#include "json_text.h"
#include "progress_line.h"
#include "text.h"
#include "weightfs/cli/command.h"
#include "weightfs/ops/optimize.h"

namespace weightfs::cli {
namespace {

struct Arguments {
  std::string path;
  std::string tier = "cold";
  ops::OptimizeOptions options;
  bool as_json = false;
};

void print(const ops::Optimization& done, std::ostream& out) {
  if (done.blobs == 0 && !done.stopped) {
    out << fmt::format("nothing to do: all was done for the {} tier (--restart begins anew)\n",
                       done.tier);
    return;
  }
  out << fmt::format(
      "{} {} of {}: {} saved of {} ({})\n", done.dry_run ? "would recode" : "recoded",
      done.recoded_blobs, count_text(done.blobs, "blob"), bytes_text(done.saved_bytes),
      bytes_text(done.encoded_bytes), percent_text(done.saved_bytes, done.encoded_bytes));
}

Status run_optimize(Arguments& arguments, Context& context) {
  const Interrupt interrupt;
  Result<ops::Optimization> done = fail(Code::interrupted, "");
  {
    ProgressLine line(context.streams, {.is_quiet = arguments.as_json, .noun = "blob"});
    arguments.options.tier =
        arguments.tier == "cold" ? codec::Tier::cold : codec::Tier::default_tier;
    arguments.options.progress = line.callback();
    arguments.options.cancelled = Interrupt::raised;
    done = ops::optimize_store(arguments.path, arguments.options);
  }
  WEIGHTFS_TRY(done);
  if (arguments.as_json)
    print_json(to_json(*done), context.streams.out);
  else
    print(*done, context.streams.out);
  if (done->broken_blobs > 0) {
    context.exit_status = 1;
    context.streams.error << fmt::format(
        "weightfs: {} can't be decoded and stayed: weightfs fsck names the files\n",
        count_text(done->broken_blobs, "blob"));
  }
  if (done->stopped) {
    context.exit_status = kInterrupted;
    context.streams.error << "weightfs: stopped; the same command goes on from there\n";
  }
  return {};
}

}  // namespace

void add_optimize_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      program.add_subcommand("optimize", "Compress what a store holds harder, in the background");
  command->footer(
      "Runs only when nothing else wants the processor, in the daemon where the store is mounted.\n"
      "Stop it at any time: the next run goes on from there, and what is done once is not done\n"
      "again. Nothing gets larger; each blob is checked before it replaces the old one.\n\n"
      "Examples:\n"
      "  weightfs optimize ~/models\n"
      "  weightfs optimize /srv/models.store --tier default\n"
      "  weightfs optimize ~/models --dry-run --json | jq .saved_bytes\n");
  command->add_option("STORE-OR-MOUNT", arguments->path, "A store, or any path in a mount")
      ->required();
  command
      ->add_option("--tier", arguments->tier,
                   "How hard: default, or cold (smallest, and slower to read)")
      ->check(CLI::IsMember({"default", "cold"}))
      ->capture_default_str();
  command->add_flag("--portable", arguments->options.portable,
                    "Only codecs that are fast on every processor");
  command->add_flag("--dry-run", arguments->options.dry_run, "Only tell how much it would save");
  command->add_flag("--restart", arguments->options.restart, "Begin with the first blob again");
  command->add_flag("--json", arguments->as_json, "Print JSON, and no progress");
  command->callback([arguments, &context] { context.finish(run_optimize(*arguments, context)); });
}

}  // namespace weightfs::cli
