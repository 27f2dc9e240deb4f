// Answers requests on the store's control socket (the protocol is in weightfs/ops/control.h).
//
// Operations are handlers, registered by name before start(). Each connection has a thread of its
// own, of which there are at most kMaxConnections; a client that is slow to ask is dropped. Only
// root and the daemon's own user are answered. Thread-safe after start().
#pragma once

#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "weightfs/base/fd.h"
#include "weightfs/ops/control.h"

namespace weightfs::mount {

struct ControlRequest {
  const nlohmann::json& arguments;           // the whole request
  const std::vector<UniqueFd>& descriptors;  // what came with it
  // Sends {"progress": ...}; a client that has gone is no reason to stop.
  const std::function<void(const nlohmann::json&)>& progress;
  // The client has gone, asks no more (ControlClient::give_up), or the daemon ends: for operations
  // that are worth stopping.
  const std::function<bool()>& is_given_up;
};

// Returns the result, a JSON value.
using ControlHandler = std::function<Result<nlohmann::json>(const ControlRequest&)>;

class ControlServer {
 public:
  ControlServer() = default;
  // Hangs up on everybody, waits for the handlers that run, and removes the socket.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  void add(const std::string& operation, ControlHandler handler);
  // Listens in the store's directory from now on.
  Status start(const std::string& store_path);

 private:
  static constexpr std::size_t kMaxConnections = 16;

  struct Connection {
    explicit Connection(ops::ControlChannel opened) : channel(std::move(opened)) {}
    ops::ControlChannel channel;
    bool finished = false;
    std::thread thread;
  };

  void accept_connections();
  void serve(Connection& connection);
  nlohmann::json answer(const ops::ControlChannel::Message& message, ops::ControlChannel& channel);
  void open_connection(UniqueFd socket);
  void join_finished();

  std::map<std::string, ControlHandler> handlers_;  // constant after start()
  std::string store_path_;
  UniqueFd listener_;
  std::thread acceptor_;
  std::mutex mutex_;  // protects connections_ and stopping_; a leaf in the lock order
  std::list<Connection> connections_;
  bool stopping_ = false;
};

}  // namespace weightfs::mount
