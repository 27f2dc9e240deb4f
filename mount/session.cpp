#include "session.h"

#include <fuse_opt.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "channel.h"
#include "libfuse_log.h"
#include "operations.h"

namespace weightfs::mount {
namespace {

using std::chrono_literals::operator""ms;

// Wakes libfuse's loop from its wait, so that it sees that it should end.
constexpr int kWakeSignal = SIGUSR1;
constexpr auto kWakeInterval = 20ms;

const fuse_lowlevel_ops& operation_table() {
  static const fuse_lowlevel_ops table = [] {
    fuse_lowlevel_ops made{};
    add_connection_operations(made);
    add_name_operations(made);
    add_attribute_operations(made);
    add_xattr_operations(made);
    add_file_operations(made);
    add_data_operations(made);
    add_directory_operations(made);
    return made;
  }();
  return table;
}

// libfuse's argument vector for the options of one mount.
class Arguments {
 public:
  explicit Arguments(const SessionOptions& options) {
    fuse_opt_add_arg(&arguments_, "weightfs");
    add_option("default_permissions");
    add_option("subtype=weightfs");
    add_option("fsname=" + options.source);
    for (const std::string& option : options.kernel_options) add_option(option);
  }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  ~Arguments() { fuse_opt_free_args(&arguments_); }
  fuse_args* get() { return &arguments_; }

 private:
  void add_option(const std::string& option) {
    std::string escaped;  // a comma or a backslash in a path
    for (const char character : option) {
      if (character == ',' || character == '\\') escaped += '\\';
      escaped += character;
    }
    fuse_opt_add_arg(&arguments_, ("-o" + escaped).c_str());
  }

  fuse_args arguments_ = FUSE_ARGS_INIT(0, nullptr);
};

void ignore_signal(int /*signal*/) {}

void install_wake_signal() {
  struct sigaction action {};
  action.sa_handler = ignore_signal;  // without SA_RESTART: it interrupts the wait
  ::sigaction(kWakeSignal, &action, nullptr);
}

struct DestroyLoopConfig {
  void operator()(fuse_loop_config* config) const { fuse_loop_cfg_destroy(config); }
};

// Ends libfuse's loop in `thread`. A single signal could come just before the loop waits.
void end_loop(fuse_session* session, std::thread& thread, const std::atomic<bool>& ended) {
  fuse_session_exit(session);
  while (!ended) {
    ::pthread_kill(thread.native_handle(), kWakeSignal);
    std::this_thread::sleep_for(kWakeInterval);
  }
  thread.join();
}

Status check_that_it_answers(const std::string& mount_point) {
  struct stat status {};
  if (::stat(mount_point.c_str(), &status) == 0) return {};
  return fail_errno(errno, "the new mount on " + mount_point + " does not answer");
}

}  // namespace

Session::Session(fs::Filesystem& filesystem, const SessionOptions& options)
    : options_(options),
      lending_(filesystem, options.connection.passthrough && !options.connection.writeback),
      context_{.filesystem = filesystem,
               .connection = options.connection,
               .lending = lending_,
               .on_init = [this] { initialized_or_ended_.release(); }} {}

Result<std::unique_ptr<Session>> Session::mount(fs::Filesystem& filesystem,
                                                const SessionOptions& options) {
  std::unique_ptr<Session> session(new Session(filesystem, options));
  WEIGHTFS_TRY(session->create_and_mount());
  return session;
}

Status Session::create_and_mount() {
  LibfuseLog messages;
  Arguments arguments(options_);
  session_.reset(
      fuse_session_new(arguments.get(), &operation_table(), sizeof(fuse_lowlevel_ops), &context_));
  if (!session_) return fail(Code::invalid, "libfuse refuses the mount: " + messages.text());
  if (fuse_session_mount(session_.get(), options_.mount_point.c_str()) != 0) {
    return fail(Code::not_permitted,
                "can't mount on " + options_.mount_point + ": " + messages.text() +
                    " (a container needs --device /dev/fuse --cap-add SYS_ADMIN)");
  }
  mounted_ = true;
  lending_.connect(fuse_session_fd(session_.get()));
  return attach_channel(session_.get());
}

Session::~Session() {
  if (mounted_) fuse_session_unmount(session_.get());
}

int Session::loop() {
  const std::unique_ptr<fuse_loop_config, DestroyLoopConfig> config(fuse_loop_cfg_create());
  fuse_loop_cfg_set_max_threads(config.get(), options_.thread_count);
  fuse_loop_cfg_set_idle_threads(config.get(), options_.thread_count);
  return fuse_session_loop_mt(session_.get(), config.get());
}

Status Session::run(StopSignal& stop, const std::function<void()>& ready) {
  install_wake_signal();
  std::atomic<bool> ended{false};
  std::atomic<int> outcome{0};
  std::thread thread([&] {
    outcome = loop();
    ended = true;
    initialized_or_ended_.release();
    stop.raise();
  });
  initialized_or_ended_.acquire();
  const Status answers = check_that_it_answers(options_.mount_point);
  if (answers) {
    ready();
    stop.wait();
  }
  end_loop(session_.get(), thread, ended);
  WEIGHTFS_TRY(answers);
  if (outcome < 0) return fail_errno(-outcome, "the mount on " + options_.mount_point);
  return {};
}

}  // namespace weightfs::mount
