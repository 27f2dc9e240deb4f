#include <fmt/format.h>

#include <ostream>

#include "json_text.h"
#include "progress_line.h"
#include "text.h"
#include "weightfs/cli/command.h"
#include "weightfs/ops/fsck.h"

namespace weightfs::cli {
namespace {

// fsck(8)
constexpr int kOperationalError = 8;
constexpr int kUsageError = 16;
constexpr int kUncorrected = 4;

struct Arguments {
  std::string path;
  ops::FsckOptions options;
  bool as_json = false;
  bool is_quiet = false;
};

void print(const ops::FsckResult& result, bool is_quiet, std::ostream& out) {
  for (const ops::FsckProblem& problem : result.problems) {
    out << printable(problem.message) << (problem.is_corrected ? " (corrected)" : "") << '\n';
  }
  for (const ops::DamagedRange& range : result.damaged) {
    out << fmt::format("{}: {} bytes at {} can't be read: {}\n", printable(range.path),
                       range.length_bytes, range.offset_bytes, range.reason);
  }
  if (is_quiet) return;
  out << fmt::format("{}: {}, {}, {}, {} checked\n", result.store,
                     count_text(result.inodes, "inode"), count_text(result.names, "name"),
                     count_text(result.blobs, "blob"), bytes_text(result.checked_bytes));
  if (result.unsealed_files + result.pending_cleanups > 0) {
    out << fmt::format("the next mount seals {} and cleans up {}\n",
                       count_text(result.unsealed_files, "file"),
                       count_text(result.pending_cleanups, "thing"));
  }
  if (result.is_clean()) out << "clean\n";
}

int run_fsck(Arguments& arguments, const Streams& streams) {
  ProgressLine progress(streams,
                        {.is_quiet = arguments.as_json || arguments.is_quiet, .noun = "blob"});
  arguments.options.progress = progress.callback();
  const auto result = ops::check_store(arguments.path, arguments.options);
  if (!result) {
    streams.error << "weightfs: " << result.error().message << '\n';
    return result.error().code == Code::corrupt ? kUncorrected : kOperationalError;
  }
  if (arguments.as_json)
    print_json(to_json(*result), streams.out);
  else
    print(*result, arguments.is_quiet, streams.out);
  const bool repairable = !arguments.options.repair && !result->is_clean();
  if (repairable && !arguments.as_json) {
    streams.error << "weightfs: the store has errors; --repair corrects what can be corrected\n";
  }
  return result->exit_status();
}

}  // namespace

void add_fsck_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("fsck", "Check a store that is not mounted");
  command->footer(
      "Exit status: 0 clean, 1 errors corrected, 4 errors left, 8 the check failed, 16 wrong "
      "usage.\n\n"
      "Examples:\n"
      "  weightfs fsck /srv/models.store\n"
      "  weightfs fsck /srv/models.store --repair\n"
      "  weightfs fsck /srv/models.store --quick --json | jq .problems\n");
  command->preparse_callback([&context](std::size_t) { context.usage_status = kUsageError; });
  command->add_option("STORE", arguments->path, "The store's directory")->required();
  command->add_flag("--repair", arguments->options.repair,
                    "Correct what can be corrected; unnamed files go to /lost+found");
  command->add_flag("--quick", arguments->options.quick, "Don't read the blobs' content");
  command->add_flag("--quiet", arguments->is_quiet, "Print problems only");
  command->add_flag("--json", arguments->as_json, "Print JSON");
  command->callback(
      [arguments, &context] { context.exit_status = run_fsck(*arguments, context.streams); });
}

}  // namespace weightfs::cli
