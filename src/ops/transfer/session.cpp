#include "session.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "item.h"

namespace weightfs::ops::transfer {
namespace {

using nlohmann::json;

constexpr int kClientTimeoutMs = 60'000;

Code code_from_name(const std::string& name) {
  for (int number = 0; number <= static_cast<int>(Code::newer_version); ++number) {
    if (code_name(static_cast<Code>(number)) == name) return static_cast<Code>(number);
  }
  return Code::io;
}

}  // namespace

Session::Session(UniqueFd own_end)
    : channel_(std::make_unique<ControlChannel>(std::move(own_end), ControlChannel::Limits{})) {}

Result<std::unique_ptr<Session>> Session::open(const Place& place, const std::string& operation) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno(errno, "can't make a socket pair");
  }
  std::unique_ptr<Session> session(new Session(UniqueFd(ends[0])));
  UniqueFd other_end(ends[1]);
  WEIGHTFS_ASSIGN(ControlClient client, ControlClient::connect(place.store_path));
  session->thread_ = std::thread([opened = session.get(), operation, other = std::move(other_end),
                                  asked = std::move(client)]() mutable {
    const int descriptors[] = {other.get()};
    const auto answer = asked.call({{"op", operation}}, descriptors);
    if (!answer) opened->outcome_ = tl::unexpected(answer.error());
  });
  return session;
}

Session::~Session() {
  channel_.reset();
  if (thread_.joinable()) thread_.join();
}

Status Session::send(const json& line, std::span<const int> descriptors) {
  Status sent = channel_->send(line_of(line), descriptors);
  if (sent) return {};
  if (thread_.joinable()) thread_.join();
  return outcome_ ? sent : outcome_;
}

Result<json> Session::receive() {
  const auto message = channel_->receive();
  if (message) return parse_line(message->line);
  ::shutdown(channel_->fd(), SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  if (!outcome_) return tl::unexpected(outcome_.error());
  return fail(Code::io, "the daemon has gone");
}

Result<ControlChannel> serve_channel(const std::vector<UniqueFd>& descriptors) {
  if (descriptors.size() != 1) return fail(Code::invalid, "one descriptor is wanted: a socket");
  const int own = ::fcntl(descriptors[0].get(), F_DUPFD_CLOEXEC, 0);
  if (own < 0) return fail_errno(errno, "can't take the conversation's socket");
  return ControlChannel(UniqueFd(own), {.timeout_ms = kClientTimeoutMs});
}

Result<json> parse_line(const std::string& line) {
  json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return fail(Code::invalid, "a line that is no JSON object");
  return value;
}

std::string line_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json error_line(const Error& error) {
  return {{"code", std::string(code_name(error.code))}, {"error", armored(error.message)}};
}

Status error_on(const json& line) {
  if (!line.contains("error")) return {};
  return fail(code_from_name(line.value("code", "")), unarmored(line.value("error", "")));
}

}  // namespace weightfs::ops::transfer
