#include "control_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "weightfs/base/log.h"

namespace weightfs::mount {
namespace {

using nlohmann::json;

constexpr int kRequestTimeoutMs = 10'000;
constexpr time_t kSendTimeoutSeconds = 10;

bool may_ask(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

json error_answer(const Error& error) {
  return {{"code", std::string(code_name(error.code))}, {"error", error.message}};
}

// Paths and names may hold any bytes; JSON holds UTF-8 only.
std::string text_of_answer(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

void limit_send_time(int socket) {
  const timeval limit{.tv_sec = kSendTimeoutSeconds, .tv_usec = 0};
  (void)::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool is_given_up(int socket) {
  pollfd state{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return ::poll(&state, 1, 0) > 0;  // POLLHUP and POLLERR come unasked
}

}  // namespace

void ControlServer::add(const std::string& operation, ControlHandler handler) {
  handlers_.emplace(operation, std::move(handler));
}

Status ControlServer::start(const std::string& store_path) {
  WEIGHTFS_ASSIGN(listener_, ops::listen_on_control_socket(store_path));
  store_path_ = store_path;
  acceptor_ = std::thread([this] { accept_connections(); });
  return {};
}

ControlServer::~ControlServer() {
  if (!acceptor_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const Connection& connection : connections_) {
      ::shutdown(connection.channel.fd(), SHUT_RDWR);
    }
  }
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (Connection& connection : connections_) connection.thread.join();
  const std::string path = store_path_ + "/" + std::string(ops::kControlSocketName);
  ::unlink(path.c_str());
}

void ControlServer::accept_connections() {
  for (;;) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!socket && (errno == EMFILE || errno == ENFILE)) {
      log::warning("too many open files to answer the control socket");
      ::usleep(100'000);
      continue;
    }
    if (!socket) return;  // shut down
    join_finished();
    if (may_ask(socket.get())) open_connection(std::move(socket));
  }
}

void ControlServer::open_connection(UniqueFd socket) {
  limit_send_time(socket.get());
  ops::ControlChannel channel(std::move(socket), {.line_bytes = ops::kMaxControlRequestBytes,
                                                  .timeout_ms = kRequestTimeoutMs});
  const std::lock_guard lock(mutex_);
  if (stopping_ || connections_.size() >= kMaxConnections) return;
  Connection& connection = connections_.emplace_back(std::move(channel));
  connection.thread = std::thread([this, &connection] { serve(connection); });
}

void ControlServer::join_finished() {
  std::list<Connection> finished;
  {
    const std::lock_guard lock(mutex_);
    for (auto each = connections_.begin(); each != connections_.end();) {
      const auto next = std::next(each);
      if (each->finished) finished.splice(finished.end(), connections_, each);
      each = next;
    }
  }
  for (Connection& connection : finished) connection.thread.join();
}

void ControlServer::serve(Connection& connection) {
  ops::ControlChannel& channel = connection.channel;
  if (const auto message = channel.receive()) {
    (void)channel.send(text_of_answer(answer(*message, channel)));
  }
  ::shutdown(channel.fd(), SHUT_RDWR);
  const std::lock_guard lock(mutex_);
  connection.finished = true;
}

json ControlServer::answer(const ops::ControlChannel::Message& message,
                           ops::ControlChannel& channel) {
  const json request = json::parse(message.line, nullptr, /*allow_exceptions=*/false);
  if (!request.is_object() || !request.contains("op") || !request["op"].is_string()) {
    return error_answer({Code::invalid, "a control request is an object with \"op\""});
  }
  const auto handler = handlers_.find(request["op"].get<std::string>());
  if (handler == handlers_.end()) {
    return error_answer({Code::unsupported,
                         "the daemon that has the store mounted is another "
                         "version of weightfs: mount it again"});
  }
  const std::function<void(const json&)> progress = [&channel](const json& value) {
    (void)channel.send(text_of_answer({{"progress", value}}));
  };
  const std::function<bool()> given_up = [&channel] { return is_given_up(channel.fd()); };
  try {
    const auto result = handler->second({request, message.descriptors, progress, given_up});
    return result ? json{{"result", *result}} : error_answer(result.error());
  } catch (const std::exception& exception) {  // a member of an unexpected type
    return error_answer({Code::invalid, exception.what()});
  }
}

}  // namespace weightfs::mount
