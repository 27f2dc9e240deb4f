#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "json_text.h"
#include "text.h"
#include "weightfs/cli/command.h"
#include "weightfs/ops/report.h"

namespace weightfs::cli {
namespace {

struct Arguments {
  std::string path;
  bool as_json = false;
};

void print_totals(const ops::Report& report, std::ostream& out) {
  Table table({{"", Table::Alignment::left},
               {"bytes", Table::Alignment::right},
               {"of logical", Table::Alignment::right}});
  const auto add = [&](const char* what, std::uint64_t bytes) {
    table.add_row({what, bytes_text(bytes), percent_text(bytes, report.logical_bytes)});
  };
  add("logical", report.logical_bytes);
  add("unique", report.unique_bytes);
  add("stored", report.stored_bytes);
  add("saved by deduplication", report.dedup_saved_bytes);
  add("saved by compression", report.compression_saved_bytes);
  if (report.zero_bytes > 0) add("zeros", report.zero_bytes);
  if (report.unsealed_bytes > 0) add("not yet sealed", report.unsealed_bytes);
  table.print(out, terminal_width());
}

void print_codecs(const ops::Report& report, std::ostream& out) {
  if (report.codecs.empty()) return;
  Table table({{"codec"},
               {"blobs", Table::Alignment::right},
               {"raw", Table::Alignment::right},
               {"stored", Table::Alignment::right},
               {"of raw", Table::Alignment::right},
               {"saved", Table::Alignment::right}});
  for (const ops::CodecUse& use : report.codecs) {
    table.add_row({use.codec, std::to_string(use.blobs), bytes_text(use.raw_bytes),
                   bytes_text(use.encoded_bytes), percent_text(use.encoded_bytes, use.raw_bytes),
                   bytes_text(use.saved_bytes())});
  }
  out << '\n';
  table.print(out, terminal_width());
}

void print_savings(const ops::Report& report, std::ostream& out) {
  if (report.largest_savings.empty()) return;
  Table table({{"saved", Table::Alignment::right},
               {"of", Table::Alignment::right},
               {"largest savings", Table::Alignment::left, /*is_flexible=*/true}});
  for (const ops::Saving& saving : report.largest_savings) {
    table.add_row({bytes_text(saving.logical_bytes - saving.stored_bytes),
                   bytes_text(saving.logical_bytes), printable(saving.path)});
  }
  out << '\n';
  table.print(out, terminal_width());
}

void print(const ops::Report& report, std::ostream& out) {
  out << fmt::format("{}: {}, ratio {:.3f}\n", report.store, count_text(report.files, "file"),
                     report.ratio());
  if (report.unsealed_files > 0) {
    out << count_text(report.unsealed_files, "file") << " wait to be sealed\n";
  }
  out << '\n';
  print_totals(report, out);
  print_codecs(report, out);
  print_savings(report, out);
  out << fmt::format("\non disk: blobs {} ({} of them free for reuse), metadata {}\n",
                     bytes_text(report.blob_file_bytes), bytes_text(report.blob_free_bytes),
                     bytes_text(report.metadata_file_bytes));
}

Status run_report(const Arguments& arguments, std::ostream& out) {
  WEIGHTFS_ASSIGN(const ops::Report report, ops::store_report(arguments.path));
  if (arguments.as_json)
    print_json(to_json(report), out);
  else
    print(report, out);
  return {};
}

}  // namespace

void add_report_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("report", "Show what a store holds and what it saves");
  command->footer(
      "The ratio is what is stored over what the files hold: 0.6 means 60 % of the space. What "
      "waits\n"
      "to be sealed counts in full.\n\n"
      "Examples:\n"
      "  weightfs report ~/models\n"
      "  weightfs report /srv/models.store --json | jq .ratio\n");
  command->add_option("STORE-OR-MOUNT", arguments->path, "A store, or any path in a mount")
      ->required();
  command->add_flag("--json", arguments->as_json, "Print JSON");
  command->callback(
      [arguments, &context] { context.finish(run_report(*arguments, context.streams.out)); });
}

}  // namespace weightfs::cli
