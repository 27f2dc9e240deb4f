#include "transfer_text.h"

#include <fmt/format.h>

#include <ostream>

#include "json_text.h"
#include "text.h"

namespace weightfs::cli {

void add_output_options(CLI::App& command, TransferOutput& output) {
  command.add_flag("--json", output.as_json, "Print the result as JSON, and no progress");
  command.add_flag("--quiet", output.is_quiet, "Print errors only");
}

TransferReporter::TransferReporter(const TransferOutput& output, Context& context)
    : output_(output),
      context_(context),
      line_(std::make_unique<ProgressLine>(
          context.streams,
          ProgressLine::Options{.is_quiet = output.as_json || output.is_quiet, .noun = "file"})) {}

void TransferReporter::finish(const std::string& done, const ops::TransferResult& result) {
  line_.reset();  // takes the bar away
  if (!result.errors.empty()) context_.exit_status = 1;
  if (output_.as_json) return print_json(to_json(result), context_.streams.out);
  for (const ops::TransferError& error : result.errors) {
    context_.streams.error << fmt::format("weightfs: {}: {}\n", printable(error.path),
                                          error.message);
  }
  if (output_.is_quiet) return;
  std::string text =
      fmt::format("{} {}, {}", done, count_text(result.files, "file"), bytes_text(result.bytes));
  if (done == "imported")
    text += fmt::format(" ({} new in the store)", bytes_text(result.stored_bytes));
  if (result.skipped > 0) text += fmt::format("; {} there already", result.skipped);
  if (!result.errors.empty()) text += "; " + count_text(result.errors.size(), "error");
  context_.streams.out << text << '\n';
}

}  // namespace weightfs::cli
