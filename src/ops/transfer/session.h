// A conversation with the daemon beside the control socket's single request: lines of JSON, with
// descriptors, over a socket pair of which the daemon got one end.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "weightfs/ops/control.h"
#include "weightfs/ops/place.h"

namespace weightfs::ops::transfer {

// The command's end. Single-threaded.
class Session {
 public:
  // Sends {"op": operation} with the other end to the daemon that has the place's store.
  static Result<std::unique_ptr<Session>> open(const Place& place, const std::string& operation);
  // Closes its end, and waits until the daemon has said that it is done.
  ~Session();

  Status send(const nlohmann::json& line, std::span<const int> descriptors = {});
  // The daemon's own error, where it ended the conversation with one.
  Result<nlohmann::json> receive();

 private:
  explicit Session(UniqueFd own_end);

  std::unique_ptr<ControlChannel> channel_;
  Status outcome_;      // of the control request; after thread_ has ended
  std::thread thread_;  // waits for the control request's result
};

// The daemon's end. A client that says nothing for a minute has gone.
Result<ControlChannel> serve_channel(const std::vector<UniqueFd>& descriptors);
Result<nlohmann::json> parse_line(const std::string& line);
// JSON that holds only what armored() made.
std::string line_of(const nlohmann::json& value);

// Errors on the conversation's lines: {"code", "error"}.
nlohmann::json error_line(const Error& error);
// The error on a line, if it holds one.
Status error_on(const nlohmann::json& line);

}  // namespace weightfs::ops::transfer
