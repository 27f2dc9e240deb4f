#include "weightfs/cli/command.h"

namespace weightfs::cli {

void add_commands(CLI::App& program, Context& context) {
  add_mount_command(program, context);
  add_umount_command(program, context);
  add_sync_command(program, context);
  add_import_command(program, context);
  add_export_command(program, context);
  add_report_command(program, context);
  add_stat_command(program, context);
  add_inspect_command(program, context);
  add_diff_command(program, context);
  add_fsck_command(program, context);
  add_gc_command(program, context);
  add_optimize_command(program, context);
  add_version_command(program, context);
}

}  // namespace weightfs::cli
