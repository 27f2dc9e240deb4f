// One mount: libfuse's session, its threads, and its end.
#pragma once

#include <functional>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "context.h"
#include "fuse.h"
#include "stop_signal.h"

namespace weightfs::mount {

struct SessionOptions {
  std::string mount_point;
  std::string source;                       // shown by mount(8): the store's path
  std::vector<std::string> kernel_options;  // "nodev", "allow_other", ...
  ConnectionOptions connection;
  unsigned thread_count = 16;
};

class Session {
 public:
  // Mounts. Requests wait until run(). The file system outlives the session.
  static Result<std::unique_ptr<Session>> mount(fs::Filesystem& filesystem,
                                                const SessionOptions& options);
  // Unmounts, if nobody else has.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Serves until it is unmounted or `stop` is raised; calls `ready`, from this thread, as soon as
  // the mount answers. Once.
  Status run(StopSignal& stop, const std::function<void()>& ready);

  fuse_session* handle() { return session_.get(); }

 private:
  struct Destroy {
    void operator()(fuse_session* session) const { fuse_session_destroy(session); }
  };

  Session(fs::Filesystem& filesystem, const SessionOptions& options);
  Status create_and_mount();
  int loop();

  SessionOptions options_;
  Lending lending_;
  Context context_;
  std::counting_semaphore<2> initialized_or_ended_{0};
  std::unique_ptr<fuse_session, Destroy> session_;
  bool mounted_ = false;
};

}  // namespace weightfs::mount
