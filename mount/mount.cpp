#include "weightfs/mount/mount.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "background.h"
#include "control_handlers.h"
#include "control_server.h"
#include "mount_point.h"
#include "notifier.h"
#include "options.h"
#include "read_ahead.h"
#include "session.h"
#include "stop_signal.h"
#include "weightfs/base/fd.h"
#include "weightfs/base/log.h"
#include "weightfs/ops/control.h"
#include "weightfs/ops/mount_table.h"
#include "weightfs/store/directory.h"

namespace weightfs::mount {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// A mount waits so long for whoever has the store's lock, and for a daemon that ends as long as it
// takes: umount(8) returns while it still seals.
constexpr auto kLockPatience = 10s;
constexpr auto kLockInterval = 50ms;

struct Plan {
  std::string store_path;
  std::string mount_point;
  Options options;
};

Result<Plan> make_plan(const MountRequest& request) {
  Plan plan;
  WEIGHTFS_ASSIGN(plan.options, parse_options(request.options));
  WEIGHTFS_ASSIGN(plan.store_path, ops::absolute_path(request.store_path));
  WEIGHTFS_ASSIGN(plan.mount_point, ops::absolute_path(request.mount_point));
  WEIGHTFS_TRY(check_fuse(plan.options.allow_other.value_or(false)));
  WEIGHTFS_TRY(prepare_mount_point(plan.mount_point));
  WEIGHTFS_TRY(check_not_mounted(plan.store_path));
  if (plan.store_path.starts_with(plan.mount_point + "/") || plan.store_path == plan.mount_point) {
    return fail(Code::invalid, "the store " + plan.store_path + " lies in its own mount point");
  }
  return plan;
}

// Buffers of a request are of a megabyte: served from the heap, they are not mapped and faulted in
// anew each time.
void keep_buffers_mapped() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  ::mallopt(M_ARENA_MAX, 4);
}

// A file that waits for its seal has a descriptor: many more are needed than the 1024 that a shell
// gives.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warning("the limit of open files stays low");
}

// A read-only mount takes no lock, so it looks whether somebody has it who writes.
Result<std::unique_ptr<fs::Filesystem>> try_to_open(const Plan& plan) {
  if (plan.options.filesystem.read_only) {
    const int writer = store::lock_holder(plan.store_path).value_or(0);
    if (writer != 0) {
      return fail(Code::busy, fmt::format("{} is in use by process {}: unmount it first",
                                          plan.store_path, writer));
    }
  }
  return fs::Filesystem::open(plan.store_path, plan.options.filesystem);
}

// Whether who has the store's lock is a daemon that serves nobody any more: its control socket went
// with its mount.
bool is_held_by_ending_daemon(const std::string& store_path) {
  if (ops::ControlClient::connect(store_path)) return false;
  const int holder = store::lock_holder(store_path).value_or(0);
  if (holder == 0) return true;  // gone by now
  const auto command = read_whole_file(fmt::format("/proc/{}/cmdline", holder));
  constexpr std::string_view kMountCommand("\0mount\0", 7);
  return command && command->find(kMountCommand) != std::string::npos;
}

Result<std::unique_ptr<fs::Filesystem>> open_filesystem(const Plan& plan) {
  const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
  for (;;) {
    auto opened = try_to_open(plan);
    const bool locked = !opened && opened.error().code == Code::busy;
    const bool late = std::chrono::steady_clock::now() > deadline;
    if (!locked || (late && !is_held_by_ending_daemon(plan.store_path))) return opened;
    std::this_thread::sleep_for(kLockInterval);
  }
}

// As ext4 mounted by root: devices and setuid programs work unless an option says otherwise, which
// comes later and wins, and whom the files' permissions let in may come in.
std::vector<std::string> kernel_options(const Options& options) {
  const bool is_root = ::geteuid() == 0;
  std::vector<std::string> all;
  if (is_root) all = {"dev", "suid"};
  if (options.allow_other.value_or(is_root)) all.emplace_back("allow_other");
  all.insert(all.end(), options.kernel.begin(), options.kernel.end());
  return all;
}

void raise_read_ahead(const Plan& plan) {
  const bool asked_for = plan.options.read_ahead_kb.has_value();
  if (::geteuid() != 0 && !asked_for) return;
  const Status set =
      set_read_ahead(plan.mount_point, plan.options.read_ahead_kb.value_or(kReadAheadKb));
  if (!set && asked_for) log::warning("read_ahead_kb has no effect: {}", set.error().message);
}

Status serve(const Plan& plan, const std::function<void()>& ready) {
  keep_buffers_mapped();
  raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a limit of the shell (ulimit -f) is an error of the write
  WEIGHTFS_ASSIGN(StopSignal stop, StopSignal::make());
  WEIGHTFS_ASSIGN(const auto filesystem, open_filesystem(plan));
  WEIGHTFS_ASSIGN(const auto session,
                  Session::mount(*filesystem, {.mount_point = plan.mount_point,
                                               .source = plan.store_path,
                                               .kernel_options = kernel_options(plan.options),
                                               .connection = plan.options.connection,
                                               .thread_count = plan.options.thread_count}));
  const Notifier notifier(*filesystem, session->handle());
  ControlServer control;
  add_daemon_handlers(control, *filesystem, [&stop] { stop.raise(); });
  add_ops_handlers(control, *filesystem);
  if (!plan.options.filesystem.read_only) WEIGHTFS_TRY(control.start(plan.store_path));
  const Status served = session->run(stop, [&] {
    raise_read_ahead(plan);
    ready();
    log::info("{} is mounted on {}", plan.store_path, plan.mount_point);
  });
  log::info("{} is unmounted", plan.mount_point);
  return served;
}

}  // namespace

Status mount_store(const MountRequest& request) {
  WEIGHTFS_ASSIGN(const Plan plan, make_plan(request));
  if (request.foreground) return serve(plan, [] {});
  return run_in_background(
      [&plan](const std::function<void()>& ready) { return serve(plan, ready); });
}

}  // namespace weightfs::mount
