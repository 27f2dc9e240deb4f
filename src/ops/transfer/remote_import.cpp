#include <sys/stat.h>

#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>

#include "remote.h"
#include "session.h"
#include "weightfs/ops/transfer.h"

namespace weightfs::ops {
namespace {

using namespace transfer;
using nlohmann::json;

constexpr std::uint64_t kTellAfterBytes = std::uint64_t{8} << 20;

class RemoteTarget final : public ImportTarget {
 public:
  RemoteTarget(std::unique_ptr<Session> session, std::function<void(std::uint64_t)> advance)
      : session_(std::move(session)), advance_(std::move(advance)) {}

  Status add(const Item& item, UniqueFd content) override {
    const int descriptors[] = {content.get()};
    return session_->send(transfer::to_json(item),
                          std::span<const int>(descriptors, content ? 1 : 0));
  }

  Result<std::vector<ItemResult>> flush() override {
    WEIGHTFS_TRY(session_->send({{"flush", true}}));
    for (;;) {
      WEIGHTFS_ASSIGN(const json line, session_->receive());
      WEIGHTFS_TRY(error_on(line));
      if (line.contains("results")) return results_on(line);
      if (line.contains("advance") && line["advance"].is_number_unsigned()) {
        advance_(line["advance"].get<std::uint64_t>());
      }
    }
  }

 private:
  static Result<std::vector<ItemResult>> results_on(const json& line) {
    std::vector<ItemResult> results;
    for (const json& value : line["results"]) {
      WEIGHTFS_ASSIGN(results.emplace_back(), item_result_from_json(value));
    }
    return results;
  }

  std::unique_ptr<Session> session_;
  std::function<void(std::uint64_t)> advance_;
};

// The daemon's end of an import.
class ImportServer {
 public:
  ImportServer(fs::Filesystem& filesystem, ControlChannel channel)
      : channel_(std::move(channel)),
        writer_(filesystem, [this](std::uint64_t bytes) { tell(bytes); }) {}

  Status serve() {
    for (;;) {
      auto message = channel_.receive();
      if (!message && message.error().code == Code::not_found) return {};  // the client is done
      if (!message) return tl::unexpected(message.error());
      for (UniqueFd& received : message->descriptors) contents_.push_back(std::move(received));
      WEIGHTFS_ASSIGN(const json line, parse_line(message->line));
      if (line.contains("flush")) {
        WEIGHTFS_TRY(answer_flush());
        continue;
      }
      WEIGHTFS_ASSIGN(const Item item, item_from_json(line));
      WEIGHTFS_TRY(take(item));
    }
  }

 private:
  Status take(const Item& item) {
    const bool wants_content = S_ISREG(item.mode) && item.hard_link_to.empty();
    if (!wants_content) return writer_.add(item, UniqueFd());
    if (contents_.empty()) return fail(Code::invalid, "a file came without its content");
    UniqueFd content = std::move(contents_.front());
    contents_.pop_front();
    return writer_.add(item, std::move(content));
  }

  Status answer_flush() {
    WEIGHTFS_ASSIGN(const std::vector<ItemResult> results, writer_.flush());
    json values = json::array();
    for (const ItemResult& result : results) values.push_back(transfer::to_json(result));
    const std::lock_guard guard(mutex_);
    if (untold_ > 0) WEIGHTFS_TRY(channel_.send(line_of({{"advance", std::exchange(untold_, 0)}})));
    return channel_.send(line_of({{"results", std::move(values)}}));
  }

  void tell(std::uint64_t bytes) {
    const std::lock_guard guard(mutex_);
    untold_ += bytes;
    if (untold_ < kTellAfterBytes) return;
    (void)channel_.send(line_of({{"advance", std::exchange(untold_, 0)}}));
  }

  std::mutex mutex_;  // protects untold_ and sending; a leaf in the lock order
  std::uint64_t untold_ = 0;
  ControlChannel channel_;
  // Of files whose lines are still to come: a socket may deliver a descriptor with the line before
  // its own, but never behind it, nor out of order.
  std::deque<UniqueFd> contents_;
  StoreWriter writer_;
};

}  // namespace

namespace transfer {

Result<std::unique_ptr<ImportTarget>> open_remote_target(
    const Place& place, std::function<void(std::uint64_t)> advance) {
  WEIGHTFS_ASSIGN(auto session, Session::open(place, "import"));
  return std::make_unique<RemoteTarget>(std::move(session), std::move(advance));
}

}  // namespace transfer

Result<json> serve_import(fs::Filesystem& filesystem, const std::vector<UniqueFd>& descriptors) {
  WEIGHTFS_ASSIGN(ControlChannel channel, serve_channel(descriptors));
  WEIGHTFS_TRY(ImportServer(filesystem, std::move(channel)).serve());
  return json::object();
}

}  // namespace weightfs::ops
