#include <fmt/format.h>

#include <ostream>

#include "json_text.h"
#include "progress_line.h"
#include "shape_text.h"
#include "text.h"
#include "weightfs/cli/command.h"
#include "weightfs/ops/inspect.h"

namespace weightfs::cli {
namespace {

struct Arguments {
  std::string path;
  ops::InspectOptions options;
  bool no_content_ids = false;
  bool as_json = false;
  bool is_quiet = false;
};

using Alignment = Table::Alignment;
constexpr std::size_t kShownIdDigits = 12;
constexpr std::size_t kLongestMetadata = 160;

void print_head(const ops::Inspection& inspection, std::ostream& out) {
  out << fmt::format("{}: {}, {}, {}\n", printable(inspection.path), inspection.format,
                     bytes_text(inspection.size_bytes),
                     count_text(inspection.tensors.size(), "tensor"));
  if (inspection.stored_bytes) {
    out << fmt::format("stored: {} that only this file brought\n",
                       bytes_text(*inspection.stored_bytes));
  }
  out << fmt::format("tensors {}, opaque {}{}{}\n", bytes_text(inspection.tensor_bytes),
                     bytes_text(inspection.opaque_bytes),
                     inspection.opaque_reason.empty() ? "" : ": ",
                     printable(inspection.opaque_reason));
  for (const auto& [key, value] : inspection.metadata) {
    out << fmt::format("  {}: {}\n", printable(key), shortened(printable(value), kLongestMetadata));
  }
}

std::string sharers_text(const std::vector<std::string>& sharers) {
  if (sharers.empty()) return "";
  const std::string first = printable(sharers.front());
  return sharers.size() == 1 ? first : fmt::format("{} +{}", first, sharers.size() - 1);
}

void print_tensors(const ops::Inspection& inspection, std::ostream& out) {
  const bool has_storage = inspection.stored_bytes.has_value();
  std::vector<Table::Column> columns = {
      {"name", Alignment::left, true}, {"dtype"},  {"shape"}, {"offset", Alignment::right},
      {"bytes", Alignment::right},     {"content"}};
  if (has_storage) {
    columns.push_back({"stored", Alignment::right});
    columns.push_back({"shared with", Alignment::left, true});
  }
  columns.push_back({"note", Alignment::left, true});
  Table table(std::move(columns));
  for (const ops::InspectedTensor& inspected : inspection.tensors) {
    const Tensor& tensor = inspected.tensor;
    std::vector<std::string> row = {printable(tensor.name),
                                    std::string(dtype_name(tensor.dtype)),
                                    shape_text(tensor.shape),
                                    std::to_string(tensor.offset_bytes),
                                    std::to_string(tensor.length_bytes),
                                    inspected.content_id.substr(0, kShownIdDigits)};
    if (has_storage) {
      row.push_back(inspected.stored_bytes ? bytes_text(*inspected.stored_bytes) : "-");
      row.push_back(sharers_text(inspected.shared_with));
    }
    row.push_back(printable(tensor.note));
    table.add_row(std::move(row));
  }
  table.print(out, terminal_width());
}

void print_statistics(const ops::Inspection& inspection, std::ostream& out) {
  Table table({{"name", Alignment::left, true},
               {"mean", Alignment::right},
               {"std", Alignment::right},
               {"min", Alignment::right},
               {"max", Alignment::right},
               {"zeros", Alignment::right},
               {"NaN", Alignment::right},
               {"Inf", Alignment::right},
               {"exponent bits", Alignment::right}});
  for (const ops::InspectedTensor& inspected : inspection.tensors) {
    if (!inspected.statistics) {
      table.add_row({printable(inspected.tensor.name), inspected.no_statistics_reason});
      continue;
    }
    const ops::TensorStatistics& values = *inspected.statistics;
    table.add_row(
        {printable(inspected.tensor.name), fmt::format("{:.4g}", values.mean),
         fmt::format("{:.4g}", values.standard_deviation), fmt::format("{:.4g}", values.minimum),
         fmt::format("{:.4g}", values.maximum), percent_text(values.zeros, values.count),
         std::to_string(values.nans), std::to_string(values.infinities),
         values.exponent_entropy_bits ? fmt::format("{:.2f}", *values.exponent_entropy_bits)
                                      : "-"});
  }
  out << '\n';
  table.print(out, terminal_width());
}

Status run_inspect(Arguments& arguments, const Streams& streams) {
  arguments.options.content_ids = !arguments.no_content_ids;
  Result<ops::Inspection> inspection = [&] {
    ProgressLine progress(streams,
                          {.is_quiet = arguments.as_json || arguments.is_quiet, .noun = "tensor"});
    arguments.options.progress = progress.callback();
    return ops::inspect_file(arguments.path, arguments.options);
  }();
  if (!inspection) return tl::unexpected(std::move(inspection.error()));
  if (arguments.as_json) {
    print_json(to_json(*inspection), streams.out);
    return {};
  }
  print_head(*inspection, streams.out);
  if (inspection->tensors.empty()) return {};
  streams.out << '\n';
  print_tensors(*inspection, streams.out);
  if (arguments.options.statistics) print_statistics(*inspection, streams.out);
  return {};
}

}  // namespace

void add_inspect_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("inspect", "Show what is in a model file");
  command->footer(
      "Works on any file. In a mount, it also shows what each tensor takes in the store and which\n"
      "other files share it.\n\n"
      "Examples:\n"
      "  weightfs inspect model.safetensors\n"
      "  weightfs inspect model.gguf --stats\n"
      "  weightfs inspect checkpoint.pt --json | jq '.tensors[].name'\n");
  command->add_option("FILE", arguments->path, "A model file")->required();
  command->add_flag("--stats", arguments->options.statistics,
                    "Mean, deviation, extremes, zeros, NaN, Inf and the exponent's entropy");
  command->add_flag("--no-content-id", arguments->no_content_ids,
                    "Don't read the tensors to name their content: faster");
  command->add_flag("--json", arguments->as_json, "Print JSON");
  command->add_flag("--quiet", arguments->is_quiet, "Show no progress");
  command->callback(
      [arguments, &context] { context.finish(run_inspect(*arguments, context.streams)); });
}

}  // namespace weightfs::cli
