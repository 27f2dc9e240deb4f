#include <fmt/format.h>

#include <ostream>

#include "json_text.h"
#include "text.h"
#include "weightfs/cli/command.h"
#include "weightfs/ops/file_storage.h"

namespace weightfs::cli {
namespace {

struct Arguments {
  std::string path;
  bool as_json = false;
};

void print(const std::string& path, const ops::FileStorage& storage, std::ostream& out) {
  const auto line = [&out](const char* what, const std::string& value) {
    out << fmt::format("  {:<16}{}\n", what, value);
  };
  out << printable(path) << '\n';
  line("size", fmt::format("{} ({})", bytes_text(storage.size_bytes), storage.size_bytes));
  line("stored", fmt::format("{} that only this file brought, {} in all blobs it refers to",
                             bytes_text(storage.stored_bytes), bytes_text(storage.encoded_bytes)));
  line("blocks", fmt::format("{}, {} distinct", storage.blocks, storage.distinct_blobs));
  if (storage.zero_bytes > 0) line("zeros", bytes_text(storage.zero_bytes));
  line("format", storage.format.empty() ? "not known before it is sealed" : storage.format);
  line("sealed",
       storage.is_sealed ? "yes" : fmt::format("no, {} wait", bytes_text(storage.unsealed_bytes)));
  for (const ops::CodecUse& use : storage.codecs) {
    line("codec", fmt::format("{}: {}, {} in {}", use.codec, count_text(use.blobs, "blob"),
                              bytes_text(use.raw_bytes), bytes_text(use.encoded_bytes)));
  }
  for (const ops::Sharer& sharer : storage.sharers) {
    line("shared with", fmt::format("{} ({})", printable(sharer.path),
                                    percent_text(sharer.shared_bytes, storage.size_bytes)));
  }
  if (storage.sharer_count > storage.sharers.size()) {
    line("", fmt::format("and {} more", storage.sharer_count - storage.sharers.size()));
  }
}

Status run_stat(const Arguments& arguments, std::ostream& out) {
  WEIGHTFS_ASSIGN(const ops::FileStorage storage, ops::mounted_file_storage(arguments.path));
  if (arguments.as_json)
    print_json(to_json(storage), out);
  else
    print(arguments.path, storage, out);
  return {};
}

}  // namespace

void add_stat_command(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("stat", "Show how a file in a mount is stored");
  command->footer(
      "The same is in extended attributes: getfattr -n user.weightfs.stored FILE, and .encoded,\n"
      ".blocks, .codecs, .format, .sealed, .shared.\n\n"
      "Examples:\n"
      "  weightfs stat ~/models/base/model.safetensors\n"
      "  weightfs stat ~/models/base/model.safetensors --json | jq .codecs\n");
  command->add_option("FILE", arguments->path, "A file in a mount")->required();
  command->add_flag("--json", arguments->as_json, "Print JSON");
  command->callback(
      [arguments, &context] { context.finish(run_stat(*arguments, context.streams.out)); });
}

}  // namespace weightfs::cli
