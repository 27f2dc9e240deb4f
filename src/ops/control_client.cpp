#include <sys/socket.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "weightfs/ops/control.h"

namespace weightfs::ops {
namespace {

using nlohmann::json;

Result<int> peer_pid(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail_errno(errno, "can't ask who listens on the control socket");
  }
  return static_cast<int>(credentials.pid);
}

// The code of that name; io for one that this version does not know.
Code code_named(const std::string& name) {
  for (int number = 0; number <= static_cast<int>(Code::newer_version); ++number) {
    const auto code = static_cast<Code>(number);
    if (code_name(code) == name) return code;
  }
  return Code::io;
}

}  // namespace

Result<ControlClient> ControlClient::connect(const std::string& store_path) {
  WEIGHTFS_ASSIGN(UniqueFd socket, connect_to_control_socket(store_path));
  WEIGHTFS_ASSIGN(const int pid, peer_pid(socket.get()));
  return ControlClient(ControlChannel(std::move(socket), {}), pid);
}

Result<json> ControlClient::call(const json& request, std::span<const int> descriptors,
                                 const Progress& progress) {
  WEIGHTFS_TRY(channel_.send(request.dump(), descriptors));
  for (;;) {
    WEIGHTFS_ASSIGN(const ControlChannel::Message message, channel_.receive());
    const json answer = json::parse(message.line, nullptr, /*allow_exceptions=*/false);
    if (!answer.is_object()) return fail(Code::io, "the daemon's answer can't be understood");
    if (answer.contains("result")) return answer["result"];
    if (answer.contains("error") && answer["error"].is_string()) {
      return fail(code_named(answer.value("code", "")), answer["error"].get<std::string>());
    }
    if (progress && answer.contains("progress")) progress(answer["progress"]);
  }
}

void ControlClient::give_up() {
  ::shutdown(channel_.fd(), SHUT_WR);
}

}  // namespace weightfs::ops
