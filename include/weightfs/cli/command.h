// The frame of the command line: parse -> ops -> text or JSON.
//
// A command is one file, cmd_<name>.cpp, with one function that adds it to the program;
// commands.cpp lists them. Nothing here uses the process's own streams or exits, so tests run
// commands in-process.
#pragma once

#include <CLI/CLI.hpp>
#include <iosfwd>

#include "weightfs/base/result.h"

namespace weightfs::cli {

struct Streams {
  std::ostream& out;
  std::ostream& error;
};

// What a command's callback can reach. Lives as long as the parse.
struct Context {
  Streams streams;
  int exit_status = 0;
  // The exit status for arguments that can't be meant. A command with one of its own (fsck) sets it
  // when its parse begins.
  int usage_status = 2;

  // Ends a command: nothing on success, otherwise one line on streams.error and exit status 1.
  void finish(const Status& status);
};

// Runs the program with main()'s arguments and returns its exit status: 0, 1 after an error, 2
// after arguments that can't be meant, or what the command says of itself.
int run(int argument_count, const char* const* arguments, const Streams& streams);

// Adds every command to the program.
void add_commands(CLI::App& program, Context& context);

void add_diff_command(CLI::App& program, Context& context);
void add_export_command(CLI::App& program, Context& context);
void add_fsck_command(CLI::App& program, Context& context);
void add_gc_command(CLI::App& program, Context& context);
void add_import_command(CLI::App& program, Context& context);
void add_inspect_command(CLI::App& program, Context& context);
void add_mount_command(CLI::App& program, Context& context);
void add_optimize_command(CLI::App& program, Context& context);
void add_report_command(CLI::App& program, Context& context);
void add_stat_command(CLI::App& program, Context& context);
void add_sync_command(CLI::App& program, Context& context);
void add_umount_command(CLI::App& program, Context& context);
void add_version_command(CLI::App& program, Context& context);

}  // namespace weightfs::cli
