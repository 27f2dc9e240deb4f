// Talking to the daemon that owns a mounted store.
//
// The daemon listens on a socket in the store, STORE/control, and answers root and its own user.
// One connection carries one request: a line of JSON, {"op": "sync", ...}, with descriptors beside
// it where the operation takes some. The answer is any number of lines {"progress": {...}} and one
// last line:
// {"result": ...} or {"code": "no_space", "error": "what failed, and what to do"}.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/fd.h"
#include "weightfs/base/result.h"

namespace weightfs::ops {

// Setting this attribute on a mount's root is sync, for users who may not use the socket.
constexpr std::string_view kSyncXattr = "user.weightfs.sync";
constexpr std::string_view kControlSocketName = "control";
constexpr std::size_t kMaxControlRequestBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxControlAnswerBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxControlDescriptors = 4;

// Lines over a connected stream socket, either end. Not thread-safe.
class ControlChannel {
 public:
  struct Limits {
    std::size_t line_bytes = kMaxControlAnswerBytes;
    int timeout_ms = -1;  // between two pieces of a line; -1 waits for ever
  };
  struct Message {
    std::string line;  // without its newline
    std::vector<UniqueFd> descriptors;
  };

  ControlChannel(UniqueFd socket, const Limits& limits);

  // The next line. Code::not_found: the other end has closed. Code::invalid: it is longer than the
  // limit or brings too many descriptors. Code::again: nothing came in time.
  Result<Message> receive();
  Status send(std::string_view line, std::span<const int> descriptors = {});
  int fd() const { return socket_.get(); }

 private:
  Status receive_some(std::vector<UniqueFd>& descriptors);

  UniqueFd socket_;
  Limits limits_;
  std::string pending_;  // received, and not yet returned
};

// The daemon at the other end of one connection, before its request is sent.
class ControlClient {
 public:
  using Progress = std::function<void(const nlohmann::json&)>;

  // Code::not_found: no daemon listens there.
  static Result<ControlClient> connect(const std::string& store_path);

  // The daemon's process id, as the kernel knows it.
  int daemon_pid() const { return daemon_pid_; }
  // Sends the request and waits for its result; an error of the daemon comes back as it was there.
  Result<nlohmann::json> call(const nlohmann::json& request, std::span<const int> descriptors = {},
                              const Progress& progress = {});
  // From `progress` only: tells the daemon to stop where it can, and to answer how far it came.
  void give_up();

 private:
  ControlClient(ControlChannel channel, int daemon_pid)
      : channel_(std::move(channel)), daemon_pid_(daemon_pid) {}

  ControlChannel channel_;
  int daemon_pid_;
};

// A Unix socket bound to (listen) or connected to STORE/control, however long the path is.
Result<UniqueFd> listen_on_control_socket(const std::string& store_path);
Result<UniqueFd> connect_to_control_socket(const std::string& store_path);

}  // namespace weightfs::ops
