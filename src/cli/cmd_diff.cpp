#include <fmt/format.h>

#include <ostream>

#include "json_text.h"
#include "progress_line.h"
#include "shape_text.h"
#include "text.h"
#include "weightfs/cli/command.h"
#include "weightfs/ops/diff.h"

namespace weightfs::cli {
namespace {

// diff(1)
constexpr int kDifferent = 1;
constexpr int kTrouble = 2;
constexpr std::size_t kLongestMetadata = 60;

struct Arguments {
  std::string a;
  std::string b;
  ops::DiffOptions options;
  bool as_json = false;
  bool is_quiet = false;
};

std::string form_text(const Tensor& tensor) {
  return fmt::format("{} {}", dtype_name(tensor.dtype), shape_text(tensor.shape));
}

std::string what_text(const ops::TensorChange& change) {
  switch (change.kind) {
    case ops::TensorChangeKind::added:
      return form_text(change.b);
    case ops::TensorChangeKind::removed:
      return form_text(change.a);
    case ops::TensorChangeKind::renamed:
      return "to " + printable(change.b.name);
    case ops::TensorChangeKind::changed:
    case ops::TensorChangeKind::reordered:
      return form_text(change.a);
    case ops::TensorChangeKind::reshaped:
    case ops::TensorChangeKind::recast:
      return form_text(change.a) + " -> " + form_text(change.b);
  }
  return "";
}

std::vector<std::string> row_of(const ops::TensorChange& change) {
  const bool is_added = change.kind == ops::TensorChangeKind::added;
  std::vector<std::string> row = {std::string(change_name(change.kind)),
                                  printable(is_added ? change.b.name : change.a.name),
                                  what_text(change)};
  const bool same_bytes = change.kind == ops::TensorChangeKind::renamed;
  row.push_back(change.blocks > 0 && !same_bytes
                    ? fmt::format("{}/{}", change.changed_blocks, change.blocks)
                    : "");
  if (!change.distance) return row;
  const ops::ValueDistance& distance = *change.distance;
  row.push_back(percent_text(distance.changed_values, distance.values));
  row.push_back(fmt::format("{:.3g}", distance.relative_rms));
  row.push_back(fmt::format("{:.6f}", distance.cosine));
  row.push_back(distance.largest_ulp_step ? std::to_string(*distance.largest_ulp_step) : "-");
  return row;
}

void print_tensors(const ops::Difference& difference, std::ostream& out) {
  if (difference.tensors.empty()) return;
  Table table({{"change"},
               {"tensor", Table::Alignment::left, /*is_flexible=*/true},
               {"what", Table::Alignment::left, /*is_flexible=*/true},
               {"blocks", Table::Alignment::right},
               {"values", Table::Alignment::right},
               {"rel. RMS", Table::Alignment::right},
               {"cosine", Table::Alignment::right},
               {"max ULP", Table::Alignment::right}});
  for (const ops::TensorChange& change : difference.tensors) table.add_row(row_of(change));
  table.print(out, terminal_width());
}

std::string side_text(const std::optional<std::string>& value) {
  return value ? shortened(printable(*value), kLongestMetadata) : "(none)";
}

void print(const ops::Difference& difference, std::ostream& out) {
  if (difference.format_a != difference.format_b) {
    out << fmt::format("formats: {} -> {}\n", difference.format_a, difference.format_b);
  }
  print_tensors(difference, out);
  for (const ops::MetadataChange& change : difference.metadata) {
    out << fmt::format("metadata {}: {} -> {}\n", printable(change.key), side_text(change.a),
                       side_text(change.b));
  }
  out << count_text(difference.unchanged_tensors, "tensor") << " unchanged";
  if (difference.same_bytes)
    out << "; the files are the same";
  else if (difference.same_content())
    out << "; the files differ outside of tensors and metadata";
  out << '\n';
}

int run_diff(Arguments& arguments, const Streams& streams) {
  const Result<ops::Difference> difference = [&] {
    ProgressLine progress(streams,
                          {.is_quiet = arguments.as_json || arguments.is_quiet, .noun = "tensor"});
    arguments.options.progress = progress.callback();
    return ops::diff_files(arguments.a, arguments.b, arguments.options);
  }();
  if (!difference) {
    streams.error << "weightfs: " << difference.error().message << '\n';
    return kTrouble;
  }
  if (arguments.as_json)
    print_json(to_json(*difference), streams.out);
  else
    print(*difference, streams.out);
  return difference->same_bytes ? 0 : kDifferent;
}

}  // namespace

void add_diff_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("diff", "Show how two model files differ");
  command->footer(
      "Tensors are matched by name, and by content where a name is in one file only. The files may "
      "be\n"
      "of different formats. Exit status: 0 the same bytes, 1 different, 2 trouble.\n\n"
      "Examples:\n"
      "  weightfs diff base/model.safetensors tuned/model.safetensors\n"
      "  weightfs diff step-900.pt step-950.pt --json | jq '.tensors[] | .change'\n");
  command->add_option("A", arguments->a, "A model file")->required();
  command->add_option("B", arguments->b, "Another one")->required();
  command->add_flag("--json", arguments->as_json, "Print JSON");
  command->add_flag("--quiet", arguments->is_quiet, "Show no progress");
  command->callback(
      [arguments, &context] { context.exit_status = run_diff(*arguments, context.streams); });
}

}  // namespace weightfs::cli
