// The control socket without a mount: honest clients, and others.
#include "control_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

using nlohmann::json;

class Control : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::mkdir(store().c_str(), 0700), 0);
    server_.add("echo", [](const ControlRequest& request) -> Result<json> {
      request.progress({{"bytes", 1}});
      return request.arguments["value"];
    });
    server_.add("size", [](const ControlRequest& request) -> Result<json> {
      struct stat status {};
      ::fstat(request.descriptors.at(0).get(), &status);
      return json(status.st_size);
    });
    server_.add("wait", [](const ControlRequest& request) -> Result<json> {
      int rounds = 0;
      while (!request.is_given_up() && rounds < 1000) {
        request.progress({{"round", ++rounds}});
        ::usleep(10'000);
      }
      return json{{"rounds", rounds}};
    });
    server_.add("fail", [](const ControlRequest&) -> Result<json> {
      return fail(Code::no_space, "no room in the store: delete something");
    });
    const Status started = server_.start(store());
    ASSERT_TRUE(started) << started.error().message;
  }

  std::string store() const { return directory_.path("store"); }
  ops::ControlChannel connect_raw() {
    auto socket = ops::connect_to_control_socket(store());
    EXPECT_TRUE(socket);
    return ops::ControlChannel(std::move(*socket), {.timeout_ms = 5000});
  }
  Result<json> call(const json& request, std::span<const int> descriptors = {}) {
    WEIGHTFS_ASSIGN(auto client, ops::ControlClient::connect(store()));
    return client.call(request, descriptors);
  }

  TemporaryDirectory directory_;
  ControlServer server_;
};

TEST_F(Control, TellsAnOperationThatItsClientGaveUp) {
  auto client = ops::ControlClient::connect(store());
  ASSERT_TRUE(client);
  const auto result = client->call({{"op", "wait"}}, {}, [&](const json&) { client->give_up(); });
  ASSERT_TRUE(result);
  EXPECT_LT((*result)["rounds"], 1000);
}

TEST_F(Control, AnswersWithProgressAndAResult) {
  auto client = ops::ControlClient::connect(store());
  ASSERT_TRUE(client);
  EXPECT_EQ(client->daemon_pid(), ::getpid());
  int progress_count = 0;
  const auto result = client->call({{"op", "echo"}, {"value", {1, "zwei"}}}, {},
                                   [&](const json&) { ++progress_count; });
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, (json{1, "zwei"}));
  EXPECT_EQ(progress_count, 1);
}

TEST_F(Control, BringsAnErrorAcross) {
  const auto result = call({{"op", "fail"}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::no_space);
  EXPECT_EQ(result.error().message, "no room in the store: delete something");
}

TEST_F(Control, BringsDescriptorsAcross) {
  write_file(directory_.path("f"), "12345");
  const auto file = open_file(directory_.path("f"), O_RDONLY);
  const int fd = file->get();
  const auto result = call({{"op", "size"}}, std::span(&fd, 1));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(*result, 5);
}

TEST_F(Control, SurvivesAHandlerThatThrows) {
  const auto result = call({{"op", "size"}});  // without its descriptor
  ASSERT_FALSE(result);
  EXPECT_TRUE(call({{"op", "echo"}, {"value", 1}}));
}

TEST_F(Control, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(call({{"op", "no such"}}).error().code, Code::unsupported);
  EXPECT_EQ(call({{"op", 7}}).error().code, Code::invalid);
  EXPECT_EQ(call(json::array()).error().code, Code::invalid);
}

TEST_F(Control, RefusesWhatIsNoJson) {
  for (const std::string line : {"", "{", "\xff\xfe", "null", "[[[[[[[["}) {
    ops::ControlChannel channel = connect_raw();
    ASSERT_TRUE(channel.send(line));
    const auto answer = channel.receive();
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->line.find("\"invalid\""), std::string::npos) << answer->line;
  }
}

TEST_F(Control, HangsUpOnALineWithoutEnd) {
  ops::ControlChannel channel = connect_raw();
  const std::string flood(4 * ops::kMaxControlRequestBytes, 'x');
  (void)channel.send(flood);
  EXPECT_FALSE(channel.receive());
  EXPECT_TRUE(call({{"op", "echo"}, {"value", 1}}));
}

TEST_F(Control, ServesOthersWhileSilentClientsHoldTheirConnections) {
  std::vector<ops::ControlChannel> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(connect_raw());
  EXPECT_TRUE(call({{"op", "echo"}, {"value", 1}}));
}

TEST_F(Control, LimitsItsConnections) {
  std::vector<ops::ControlChannel> silent;
  for (int i = 0; i < 40; ++i) silent.push_back(connect_raw());
  (void)silent.back().send("{\"op\": \"echo\", \"value\": 1}");
  EXPECT_FALSE(silent.back().receive());
}

TEST_F(Control, SocketIsForItsOwnerOnly) {
  EXPECT_EQ(must_stat(store() + "/control").st_mode & 0777U, 0600U);
}

TEST_F(Control, ConnectingToAStoreWithoutADaemonSaysSo) {
  ASSERT_EQ(::mkdir(directory_.path("other").c_str(), 0700), 0);
  const auto client = ops::ControlClient::connect(directory_.path("other"));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, Code::not_found);
}

}  // namespace
}  // namespace weightfs::mount
