// What import and export have in common on the command line.
#pragma once

#include <memory>
#include <string>

#include "progress_line.h"
#include "weightfs/cli/command.h"
#include "weightfs/ops/transfer.h"

namespace weightfs::cli {

struct TransferOutput {
  bool as_json = false;
  bool is_quiet = false;
};
void add_output_options(CLI::App& command, TransferOutput& output);

// Shows the progress while it lives, and the result at the end.
class TransferReporter {
 public:
  TransferReporter(const TransferOutput& output, Context& context);
  ops::ProgressCallback progress() const { return line_->callback(); }
  // Exit status 1 where something could not be copied. `done` is "imported" or "exported".
  void finish(const std::string& done, const ops::TransferResult& result);

 private:
  const TransferOutput& output_;
  Context& context_;
  std::unique_ptr<ProgressLine> line_;
};

}  // namespace weightfs::cli
