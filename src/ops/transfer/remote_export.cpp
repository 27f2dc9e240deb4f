#include <nlohmann/json.hpp>

#include "remote.h"
#include "session.h"
#include "weightfs/ops/transfer.h"

namespace weightfs::ops {
namespace {

using namespace transfer;
using nlohmann::json;

constexpr std::uint64_t kTellAfterBytes = std::uint64_t{8} << 20;

class RemoteSource final : public ExportSource {
 public:
  RemoteSource(std::unique_ptr<Session> session, std::function<void(std::uint64_t)> advance)
      : session_(std::move(session)), advance_(std::move(advance)) {}

  Result<Item> find(const std::string& path) override {
    WEIGHTFS_ASSIGN(const json answer, ask({{"find", armored(path)}}));
    return item_from_json(answer.value("item", json::object()));
  }

  Result<std::vector<Item>> list(std::uint64_t inode, std::uint64_t& cookie) override {
    WEIGHTFS_ASSIGN(const json answer, ask({{"list", inode}, {"cookie", cookie}}));
    std::vector<Item> items;
    for (const json& value : answer.value("items", json::array())) {
      WEIGHTFS_ASSIGN(items.emplace_back(), item_from_json(value));
    }
    cookie = answer.value("next", std::uint64_t{0});
    return items;
  }

  Status copy(std::uint64_t inode, int target_fd) override {
    const int descriptors[] = {target_fd};
    WEIGHTFS_TRY(ask({{"copy", inode}}, descriptors));
    return {};
  }

 private:
  Result<json> ask(const json& question, std::span<const int> descriptors = {}) {
    WEIGHTFS_TRY(session_->send(question, descriptors));
    for (;;) {
      WEIGHTFS_ASSIGN(const json line, session_->receive());
      WEIGHTFS_TRY(error_on(line));
      if (!line.contains("advance")) return line;
      if (line["advance"].is_number_unsigned()) advance_(line["advance"].get<std::uint64_t>());
    }
  }

  std::unique_ptr<Session> session_;
  std::function<void(std::uint64_t)> advance_;
};

// The daemon's end of an export. Single-threaded.
class ExportServer {
 public:
  ExportServer(fs::Filesystem& filesystem, ControlChannel channel)
      : channel_(std::move(channel)),
        reader_(filesystem, [this](std::uint64_t bytes) { tell(bytes); }) {}

  Status serve() {
    for (;;) {
      auto message = channel_.receive();
      if (!message && message.error().code == Code::not_found) return {};  // the client is done
      if (!message) return tl::unexpected(message.error());
      WEIGHTFS_ASSIGN(const json line, parse_line(message->line));
      const Result<json> answered = answer(line, message->descriptors);
      if (untold_ > 0) {
        WEIGHTFS_TRY(channel_.send(line_of({{"advance", std::exchange(untold_, 0)}})));
      }
      WEIGHTFS_TRY(channel_.send(line_of(answered ? *answered : error_line(answered.error()))));
    }
  }

 private:
  Result<json> answer(const json& line, const std::vector<UniqueFd>& descriptors) {
    if (line.contains("find")) {
      WEIGHTFS_ASSIGN(const Item item, reader_.find(unarmored(line["find"].get<std::string>())));
      return json{{"item", transfer::to_json(item)}};
    }
    if (line.contains("list")) return answer_list(line);
    if (!line.contains("copy") || descriptors.size() != 1) {
      return fail(Code::invalid, "not a question of an export");
    }
    WEIGHTFS_TRY(reader_.copy(line["copy"].get<std::uint64_t>(), descriptors[0].get()));
    return json::object();
  }

  Result<json> answer_list(const json& line) {
    std::uint64_t cookie = line.at("cookie").get<std::uint64_t>();
    WEIGHTFS_ASSIGN(const std::vector<Item> items,
                    reader_.list(line["list"].get<std::uint64_t>(), cookie));
    json values = json::array();
    for (const Item& item : items) values.push_back(transfer::to_json(item));
    return json{{"items", std::move(values)}, {"next", cookie}};
  }

  void tell(std::uint64_t bytes) {
    untold_ += bytes;
    if (untold_ < kTellAfterBytes) return;
    (void)channel_.send(line_of({{"advance", std::exchange(untold_, 0)}}));
  }

  std::uint64_t untold_ = 0;
  ControlChannel channel_;
  StoreReader reader_;
};

}  // namespace

namespace transfer {

Result<std::unique_ptr<ExportSource>> open_remote_source(
    const Place& place, std::function<void(std::uint64_t)> advance) {
  WEIGHTFS_ASSIGN(auto session, Session::open(place, "export"));
  return std::make_unique<RemoteSource>(std::move(session), std::move(advance));
}

}  // namespace transfer

// An exception of a member with an unexpected type ends the conversation: the control server turns
// it into the request's error.
Result<json> serve_export(fs::Filesystem& filesystem, const std::vector<UniqueFd>& descriptors) {
  WEIGHTFS_ASSIGN(ControlChannel channel, serve_channel(descriptors));
  WEIGHTFS_TRY(ExportServer(filesystem, std::move(channel)).serve());
  return json::object();
}

}  // namespace weightfs::ops
